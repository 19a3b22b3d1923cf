"""From names to cells: what a run will do, and for each cell whether it can. Light."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timbrebench.benchmarks.apart import run_apart
from timbrebench.benchmarks.config import RunConfig, check, split_list
from timbrebench.core import corpora, files
from timbrebench.core.errors import BenchError, MissingData, UnknownName
from timbrebench.core.manifest import Entry
from timbrebench.core.records import Budget, Corpus, Task, parse_task
from timbrebench.core.registry import OURS, Registry, create, values_of
from timbrebench.core.splits import apply_split
from timbrebench.core.weights import KNOWN

INDEX_DEADLINE = 120.0  # seconds


@dataclass(frozen=True)
class Choice:
    """A plugin with all its options."""

    name: str  # as the registry finds it, 'palette' or 'palette@distribution'
    label: str  # as reports show it
    values: Mapping[str, Any]
    code: str
    ours: bool = True
    inputs: tuple[Any, ...] = ()  # what decides its results beside: files, an embedding

    @property
    def identity(self) -> list[Any]:
        return [self.name, dict(self.values), self.code, list(self.inputs)]


@dataclass(frozen=True)
class Cell:
    """One method with its options on one dataset, all the run's tasks, one seed, one budget."""

    method: Choice
    dataset: Choice
    data_root: str
    split: str
    fingerprint: str  # of the corpus with its split
    tasks: tuple[Task, ...]
    seed: int
    budget: Budget
    precision: str
    vocoder: Choice
    max_seconds: float | None
    trains: bool
    control: bool
    supervision: str
    impossible: str = ""  # the reason, if it is

    @property
    def key(self) -> str:
        training = [dataclasses.astuple(self.budget), self.precision] if self.trains else []
        parts = [self.method.identity, self.fingerprint, [t.name for t in self.tasks], self.seed]
        return files.digest([*parts, training, self.vocoder.identity, self.max_seconds])

    @property
    def place(self) -> str:
        """What a table has one row for: a newer cell of the same place replaces an older."""
        tasks = ",".join(t.name for t in self.tasks)
        return f"{self.method.label}|{self.dataset.label}|{tasks}|{self.seed}"


@dataclass(frozen=True)
class Plan:
    """The cells of a run, and what they share."""

    config: RunConfig
    corpus: Corpus
    cells: tuple[Cell, ...]
    metrics: tuple[Choice, ...]
    unprepared: int = 0  # files that the dataset has to make first


def make_plan(config: RunConfig, registry: Registry) -> Plan:
    """Resolves every name and option of the config. Imports no method."""
    check(config)
    check_owners(config, registry)
    entry, dataset = choose(registry, "dataset", config.dataset, config)
    missing, corpus = read_corpus(dataset, data_root(config), registry)
    if missing:
        raise MissingData(missing)
    corpus = apply_split(corpus, config.split)
    tasks = choose_tasks(config.tasks, corpus)
    vocoder = choose(registry, "vocoder", config.vocoder, config)[1]
    cells = [
        _cell(registry, config, corpus, tasks, dataset, vocoder, method, seed)
        for method in _methods(registry, config)
        for seed in config.seeds
    ]
    metrics = tuple(choose_metrics(registry, config))
    stems = {path for track in corpus.tracks for path in track.stems.values()}
    unprepared = sum(not path.exists() for path in stems) if entry.info.embedded else 0
    return Plan(config, corpus, tuple(cells), metrics, unprepared)


def read_corpus(dataset: Choice, root: Path | None, registry: Registry) -> tuple[str, Corpus]:
    """(what is missing, the index). A stranger's is read in a process of its own."""
    if dataset.ours:
        instance = create(registry.find("dataset", dataset.name), dataset.values, root)
        return instance.missing(), instance.corpus()
    data = {"name": dataset.name, "values": dict(dataset.values), "root": str(root or "")}
    outcome = run_apart("index", data, INDEX_DEADLINE)
    if outcome.status != "ok":
        raise BenchError(f"dataset '{dataset.label}' cannot be read: {outcome.reason}")
    return outcome.answer["missing"], corpora.from_json(outcome.answer["corpus"])


def data_root(config: RunConfig) -> Path | None:
    given = config.data_root or os.environ.get("TIMBREBENCH_DATA", "")
    return Path(given).expanduser() if given else None


# ------------------------------------------------------------------ choosing plugins


def choose(
    registry: Registry, kind: str, text: str, config: RunConfig, extra: Mapping[str, Any] = {}
) -> tuple[Entry, Choice]:
    """'palette', 'palette[steps=5;eta=1]' or 'files:DIR' → the plugin and its options."""
    name, given = parse_choice(text)
    head, colon, argument = name.partition(":")
    entry = registry.find(kind, head)
    if colon:
        if not entry.info.argument:
            raise BenchError(f"{kind} '{head}' takes nothing behind a colon.")
        given = {entry.info.argument: argument} | given
    all_given = {**config.options.get(head, {}), **given, **extra}
    values = values_of(entry, all_given, config.preset)
    label = text if not extra else f"{head}[{'; '.join(map(str, extra.values()))}]"
    inputs = (*_argument_inputs(entry, values), *_embedding_inputs(registry, entry, config))
    return entry, Choice(head, label, values, entry.code, entry.distribution == OURS, inputs)


def parse_choice(text: str) -> tuple[str, dict[str, Any]]:
    """'palette[steps=5;eta=1]' → ('palette', {'steps': '5', 'eta': '1'})."""
    name, bracket, rest = text.partition("[")
    if not bracket:
        return text, {}
    if not rest.endswith("]"):
        raise BenchError(f"'{text}' lacks its closing bracket.")
    given = {}
    for word in filter(None, rest[:-1].split(";")):
        key, equals, value = word.partition("=")
        if not equals:
            raise BenchError(f"'{text}': write [option=value;option=value].")
        given[key.strip()] = value.strip()
    return name, given


def _argument_inputs(entry: Entry, values: Mapping[str, Any]) -> list[str]:
    """Hash of the names and contents of the folder or file that a plugin's argument names."""
    named = values.get(entry.info.argument) if entry.info.argument else None
    if not named:
        return []
    root = Path(str(named)).expanduser()
    if not root.exists():
        raise BenchError(f"{entry.name}: there is no folder {root}.")
    found = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
    return [files.digest([[str(p.relative_to(root)), files.sha256_of(p)] for p in found])]


def _embedding_inputs(registry: Registry, entry: Entry, config: RunConfig) -> list[Any]:
    """An embedding's options, and whether its weights are there: once they are, its scores,
    which were 'missing', are made."""
    name = getattr(entry.info, "embedding", "")
    if not name:
        return []
    embedding = registry.find("embedding", name)
    values = values_of(embedding, config.options.get(name, {}))
    known = KNOWN.get(name)
    return [name, values, embedding.info.weights_sha256, bool(known and known.path.is_file())]


def check_owners(config: RunConfig, registry: Registry) -> None:
    """Every ``-o NAME.…`` names a plugin."""
    known = {e.name for e in registry.entries}
    for owner in config.options:
        if owner not in known:
            raise UnknownName("plugin in -o:", owner, known, hint="See: bench list")


def choose_metrics(registry: Registry, config: RunConfig) -> list[Choice]:
    """The named metrics; 'jaccard' stands for all whose name begins with it."""
    every = registry.of("metric")
    if not config.metrics:
        names = [e.name for e in every if e.info.default]
    else:
        names = []
        for word in config.metrics:
            family = [e.name for e in every if e.name.startswith(f"{word}_")]
            exact = [e.name for e in every if e.name == word.partition("[")[0].partition("@")[0]]
            names += [word] if exact or not family else family
    return [choose(registry, "metric", n, config)[1] for n in dict.fromkeys(names)]


def _methods(registry: Registry, config: RunConfig) -> list[tuple[Entry, Choice]]:
    """The methods; the oracle once for each mel that the others' estimates are made in."""
    words = list(dict.fromkeys((*config.methods, *_controls(registry, config))))
    others = [choose(registry, "method", w, config) for w in words if w != "oracle"]
    chosen = list(others)
    if "oracle" in words:
        mels = sorted({mel_of(e, c.values) for e, c in others if not e.info.control} - {""})
        oracle = registry.find("method", "oracle")
        mels = mels or [mel_of(oracle, values_of(oracle, config.options.get("oracle", {})))]
        chosen += [choose(registry, "method", "oracle", config, {"mel": m}) for m in mels]
    return chosen


def _controls(registry: Registry, config: RunConfig) -> list[str]:
    """The controls that need no training: no table is without them unless the user says so."""
    if not config.controls:
        return []
    named = {parse_choice(word)[0].partition("@")[0] for word in config.methods}
    controls = [e for e in registry.of("method") if e.info.control and not e.info.trains]
    return [e.name for e in controls if e.distribution == OURS and e.name not in named]


def mel_of(entry: Entry, values: Mapping[str, Any]) -> str:
    """The mel preset that a method's estimates are made in; '' if it makes audio."""
    return str(values.get("mel", entry.info.mel))


# ------------------------------------------------------------------ tasks and cells


def choose_tasks(words: Sequence[str], corpus: Corpus) -> tuple[Task, ...]:
    """Task names and group names → tasks that the corpus has instruments for."""
    if not words:
        return next(iter(corpus.groups.values()))
    named = {t.name: t for tasks in corpus.groups.values() for t in tasks}
    tasks: list[Task] = []
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
    return tuple(dict.fromkeys(tasks))


def _checked(task: Task, corpus: Corpus) -> Task:
    for instrument in filter(None, (task.a, task.b)):
        if instrument not in corpus.instruments:
            raise UnknownName(f"instrument of {corpus.name}:", instrument, corpus.instruments)
    if task.a == task.b:
        raise BenchError(f"task {task.name}: source and target are the same instrument.")
    return task


def _cell(
    registry: Registry,
    config: RunConfig,
    corpus: Corpus,
    tasks: tuple[Task, ...],
    dataset: Choice,
    vocoder: Choice,
    method: tuple[Entry, Choice],
    seed: int,
) -> Cell:
    entry, choice = method
    info = entry.info
    return Cell(
        method=choice,
        dataset=dataset,
        data_root=str(data_root(config) or ""),
        split=config.split,
        fingerprint=corpus.fingerprint,
        tasks=tasks,
        seed=seed,
        budget=config.spent,
        precision=config.precision,
        vocoder=vocoder if mel_of(entry, choice.values) else dataclasses.replace(vocoder, name=""),
        max_seconds=config.max_seconds,
        trains=info.trains,
        control=info.control,
        supervision=info.supervision,
        impossible=why_impossible(info, tasks, corpus),
    )


def why_impossible(info: Any, tasks: Sequence[Task], corpus: Corpus) -> str:
    """Why a method cannot do any of the tasks on the corpus; '' if it can do one."""
    able = [t for t in tasks if t.kind in info.kinds]
    if not able:
        return f"{info.name} does {' and '.join(info.kinds)} tasks only"
    reasons = [_lacking(info, part, corpus) for task in able for part in task.direct]
    return "" if "" in reasons else reasons[0]


def _lacking(info: Any, task: Task, corpus: Corpus) -> str:
    ends = tuple(filter(None, (task.source, task.target)))
    if not corpus.tracks_of("test", ends[0]):
        return f"no test track has {ends[0]}; give one with --split test=ID"
    if not (info.trains or info.supervision != "none"):
        return ""
    wanted = [ends] if info.supervision == "paired" else [(end,) for end in ends]
    for instruments in wanted if info.name != "oracle" else []:
        if not corpus.tracks_of("train", *instruments):
            told = " and ".join(instruments)
            return f"no training track has {told}; see --split"
    return ""


def parse_words(texts: Sequence[str]) -> tuple[str, ...]:
    """Repeated options, each a comma list → words."""
    return tuple(w for text in texts for w in split_list(text))
