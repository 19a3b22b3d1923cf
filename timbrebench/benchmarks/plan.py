"""From names to cells: what a run will do, and for each cell whether it can. Light."""

import dataclasses
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timbrebench.benchmarks.apart import run_apart
from timbrebench.benchmarks.choices import (
    NO_VOCODER,
    Choice,
    check_owners,
    choose,
    choose_methods,
    choose_metrics,
    mel_of,
    named_methods,
)
from timbrebench.benchmarks.config import RunConfig, check
from timbrebench.benchmarks.precision import resolve_precision
from timbrebench.benchmarks.tasks import choose_tasks, why_impossible
from timbrebench.core import corpora, files
from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.interfaces import MethodInfo, Progress
from timbrebench.core.manifest import Entry
from timbrebench.core.records import Budget, Corpus, Task
from timbrebench.core.registry import Registry, create
from timbrebench.core.splits import apply_split

INDEX_DEADLINE = 120.0  # seconds
RIVALS = ("copy", "regress")  # controls that every method is compared with


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
    score_on: str
    trains: bool
    control: bool
    supervision: str
    augment: str = ""  # copies of the training tracks, if it trains
    fraction: str = "1"  # of the run's budget, which is its own
    impossible: str = ""  # the reason, if it is

    @functools.cached_property
    def key(self) -> str:
        training = [dataclasses.astuple(self.budget), self.precision] if self.trains else []
        training += [self.augment] if self.augment else []
        parts = [self.method.identity, self.fingerprint, [t.name for t in self.tasks], self.seed]
        scored = [] if self.score_on == "test" else [self.score_on]
        return files.digest([*parts, training, self.vocoder.identity, self.max_seconds, *scored])

    @property
    def place(self) -> str:
        """What a table has one row for: a newer cell of the same place replaces an older."""
        tasks = ",".join(t.name for t in self.tasks)
        share = "" if self.fraction == "1" else f"|{self.fraction}"
        copies = f"|{self.augment}" if self.augment else ""
        return f"{self.method.label}|{self.dataset.label}|{tasks}|{self.seed}{share}{copies}"


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
    precision = resolve_precision(config.precision, config.device)
    config = dataclasses.replace(config, precision=precision)
    check_owners(config, registry)
    entry, dataset = choose(registry, "dataset", config.dataset, config)
    corpus = open_corpus(config, registry)
    tasks = choose_tasks(config.tasks, corpus, named_methods(registry, config))
    methods = choose_methods(registry, config, tasks)
    vocoder = choose(registry, "vocoder", config.vocoder, config)
    cells = [
        _cell(registry, config, corpus, tasks, dataset, vocoder, method, seed, fraction)
        for method in methods
        for seed in config.seeds
        for fraction in (config.budget_fractions if method[0].info.trains else ("1",))
    ]
    metrics = tuple(choose_metrics(registry, config, tasks))
    stems = {path for track in corpus.tracks for path in track.stems.values()}
    unprepared = sum(not path.exists() for path in stems) if entry.info.embedded else 0
    return Plan(config, corpus, tuple(cells), metrics, unprepared)


def open_corpus(config: RunConfig, registry: Registry) -> Corpus:
    """With the split that is asked for. MissingData where it is not there."""
    dataset = choose(registry, "dataset", config.dataset, config)[1]
    missing, corpus = read_corpus(dataset, data_root(config), registry)
    if missing:
        raise MissingData(missing)
    return apply_split(corpus, config.split)


def read_corpus(dataset: Choice, root: Path | None, registry: Registry) -> tuple[str, Corpus]:
    """(what is missing, the index). A stranger's is read in a process of its own."""
    if dataset.ours:
        # Ours need no question of what is missing: their corpus raises MissingData.
        return "", create(registry.find("dataset", dataset.name), dataset.values, root).corpus()
    data = {"name": dataset.name, "values": dict(dataset.values), "root": str(root or "")}
    outcome = run_apart("index", data, INDEX_DEADLINE)
    if outcome.status != "ok":
        raise BenchError(f"dataset '{dataset.label}' cannot be read: {outcome.reason}")
    return outcome.answer["missing"], corpora.from_json(outcome.answer["corpus"])


def make_embedded(
    entry: Entry, values: Mapping[str, Any], root: Path | None, progress: Progress
) -> bool:
    """Makes what an embedded dataset lacks; False of one that only its own command prepares."""
    if entry.info.embedded:
        create(entry, values, root).prepare(progress)
    return bool(entry.info.embedded)


def data_root(config: RunConfig) -> Path | None:
    given = config.data_root or os.environ.get("TIMBREBENCH_DATA", "")
    return Path(given).expanduser() if given else None


def _copies(config: RunConfig) -> str:
    """In one form, however it was said."""
    if not config.augment:
        return ""
    from timbrebench.core.augment import parse  # few runs have copies

    return str(parse(config.augment))


def _cell(
    registry: Registry,
    config: RunConfig,
    corpus: Corpus,
    tasks: tuple[Task, ...],
    dataset: Choice,
    vocoder: tuple[Entry, Choice],
    method: tuple[Entry, Choice],
    seed: int,
    fraction: str,
) -> Cell:
    entry, choice = method
    info, mel = entry.info, mel_of(entry, choice.values)
    return Cell(
        method=choice,
        dataset=dataset,
        data_root=str(data_root(config) or ""),
        split=config.split,
        fingerprint=corpus.fingerprint,
        tasks=tasks,
        seed=seed,
        budget=config.budget_of(fraction, _directions(info, tasks)),
        fraction=fraction,
        augment=_copies(config) if info.trains else "",
        precision=config.precision,
        vocoder=vocoder[1] if mel else NO_VOCODER,
        max_seconds=config.max_seconds,
        score_on=config.score_on,
        trains=info.trains,
        control=info.control,
        supervision=info.supervision,
        impossible=why_impossible(info, tasks, corpus, config.score_on) or _unfit(vocoder[0], mel),
    )


def _directions(info: MethodInfo, tasks: tuple[Task, ...]) -> int:
    """Tasks that a method itself does: derived ones are sums of others."""
    return len({direct for t in tasks if t.kind in info.kinds for direct in t.direct})


def _unfit(vocoder: Entry, mel: str) -> str:
    """Why a vocoder cannot turn a method's mels into audio; '' if it can, or need not."""
    takes = vocoder.info.mels
    if not mel or not takes or mel in takes:
        return ""
    return f"vocoder {vocoder.name} takes the mel {' or '.join(takes)}, not {mel}"
