"""Which tasks a run has, and whether a method can do them on a corpus. Light."""

from collections.abc import Sequence

from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.interfaces import MethodInfo
from timbrebench.core.records import Corpus, Task, parse_task


def choose_tasks(words: Sequence[str], corpus: Corpus) -> tuple[Task, ...]:
    """Task names and group names → tasks that the corpus has instruments for."""
    if not words and not corpus.groups:
        raise BenchError(f"{corpus.name} offers no task.", hint="See: bench info " + corpus.name)
    named = {t.name: t for tasks in corpus.groups.values() for t in tasks}
    tasks: list[Task] = []
    for word in words or [next(iter(corpus.groups))]:
        if word in corpus.groups:
            tasks += corpus.groups[word]
        elif word in named:
            tasks.append(named[word])
        elif ":" in word:
            tasks.append(_checked(parse_task(word), corpus))
        else:
            names = [*corpus.groups, *named]
            raise UnknownName("task or task group", word, names)
    _refuse_same_folders(tasks)
    return tuple(dict.fromkeys(tasks))


def _refuse_same_folders(tasks: Sequence[Task]) -> None:
    """An instrument called 'a-b' could make two tasks' estimates one folder's."""
    folders: dict[str, Task] = {}
    for task in tasks:
        if (other := folders.setdefault(task.folder, task)) != task:
            raise BenchError(
                f"the tasks {other.name} and {task.name} would share the folder {task.folder}.",
                hint="Rename an instrument, or give --tasks one at a time.",
            )


def _checked(task: Task, corpus: Corpus) -> Task:
    for instrument in filter(None, (task.a, task.b)):
        if instrument not in corpus.instruments:
            raise UnknownName(f"instrument of {corpus.name}:", instrument, corpus.instruments)
    if task.a == task.b:
        raise BenchError(f"task {task.name}: source and target are the same instrument.")
    return task


def why_impossible(info: MethodInfo, tasks: Sequence[Task], corpus: Corpus) -> str:
    """Why a method cannot do any of the tasks on the corpus; '' if it can do one."""
    able = [t for t in tasks if t.kind in info.kinds and t.kind != "pair"]
    if not able and any(t.kind == "pair" for t in tasks):
        return "this version makes no estimates of pairs"
    if not able:
        return f"{info.name} does {' and '.join(info.kinds)} tasks only"
    reasons = [_lacking(info, part, corpus) for task in able for part in task.direct]
    return "" if "" in reasons else reasons[0]


def _lacking(info: MethodInfo, task: Task, corpus: Corpus) -> str:
    ends = tuple(filter(None, (task.source, task.target)))
    if not corpus.tracks_of("test", ends[0]):
        return f"no test track has {ends[0]}; give one with --split test=ID"
    if info.supervision == "none" and not info.trains:
        return ""
    wanted = [ends] if info.supervision == "paired" else [(end,) for end in ends]
    for instruments in wanted:
        if not corpus.tracks_of("train", *instruments):
            told = " and ".join(instruments)
            return f"no training track has {told}; see --split"
    return ""
