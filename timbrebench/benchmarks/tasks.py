"""Which tasks a run has, and whether a method can do them on a corpus. Light."""

from collections.abc import Sequence

from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.interfaces import MethodInfo
from timbrebench.core.records import Corpus, Task, Track, parse_task


def choose_tasks(
    words: Sequence[str], corpus: Corpus, methods: Sequence[MethodInfo] = ()
) -> tuple[Task, ...]:
    """Task names and group names → tasks that the corpus has instruments for.

    Without a word: those of the corpus's first group, and of the groups ``generate`` and
    ``pair`` as much as a method that does no transfer needs.
    """
    named = {t.name: t for tasks in corpus.groups.values() for t in tasks}
    tasks = [] if words else _default_tasks(corpus, methods)
    for word in words:
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


def _default_tasks(corpus: Corpus, methods: Sequence[MethodInfo]) -> list[Task]:
    if not corpus.groups:
        raise BenchError(f"{corpus.name} offers no task.", hint="See: bench info " + corpus.name)
    tasks = list(next(iter(corpus.groups.values())))
    instruments = {end for task in tasks for end in task.ends}
    kinds = {task.kind for task in tasks}
    for info in methods:
        if info.control or kinds & set(info.kinds):
            continue
        for kind in info.kinds:
            group = corpus.groups.get(kind, ())
            tasks += [task for task in group if set(task.ends) <= instruments]
    return tasks


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
    for instrument in task.ends:
        if instrument not in corpus.instruments:
            raise UnknownName(f"instrument of {corpus.name}:", instrument, corpus.instruments)
    if task.a == task.b:
        raise BenchError(f"task {task.name}: source and target are the same instrument.")
    return task


def items_of(task: Task, corpus: Corpus, split: str) -> tuple[Track, ...]:
    """The tracks of a split that a task is tried on: with both ends where there are such."""
    if task.kind == "pair":
        return corpus.tracks_together(split, task.a, task.b) or corpus.tracks_of(split, task.a)
    return corpus.tracks_of(split, *task.ends) or corpus.tracks_of(split, task.a)


def why_impossible(
    info: MethodInfo, tasks: Sequence[Task], corpus: Corpus, scored: str = "test"
) -> str:
    """Why a method cannot do any of the tasks on the corpus; '' if it can do one."""
    able = [t for t in tasks if t.kind in info.kinds]
    if not able:
        return f"{info.name} does {' and '.join(info.kinds)} tasks only"
    reasons = [_lacking(info, part, corpus, scored) for task in able for part in task.direct]
    return "" if "" in reasons else reasons[0]


def _lacking(info: MethodInfo, task: Task, corpus: Corpus, scored: str) -> str:
    if not corpus.tracks_of(scored, task.a):
        return f"no {scored} track has {task.a}; give one with --split {scored}=ID"
    if info.supervision == "none" and not info.trains:
        return ""
    wanted = [task.ends] if info.supervision == "paired" else [(end,) for end in task.ends]
    for instruments in wanted:
        if not corpus.tracks_of("train", *instruments):
            told = " and ".join(instruments)
            return f"no training track has {told}; see --split"
    return ""
