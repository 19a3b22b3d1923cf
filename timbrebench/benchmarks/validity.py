"""Which metric sees what: every metric on real clips with known faults."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from timbrebench.benchmarks import measure
from timbrebench.benchmarks.choices import check_owners, choose_metrics, parse_words
from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.degradations import DEGRADATIONS
from timbrebench.benchmarks.measure import Chosen, chosen_metric
from timbrebench.benchmarks.parallel import run_all
from timbrebench.benchmarks.plan import data_root as root_of
from timbrebench.benchmarks.plan import make_embedded
from timbrebench.benchmarks.records import metric_record
from timbrebench.benchmarks.references import References
from timbrebench.benchmarks.session import open_dataset
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Progress
from timbrebench.core.notes import notes_of
from timbrebench.core.records import Clip, Corpus
from timbrebench.core.registry import registry, values_of
from timbrebench.core.splits import apply_split
from timbrebench.core.statistics import mean, pseudo_values, separated

Row = dict[str, Any]
UNTOUCHED = "none"
LEAST = 1e-3  # of the greatest difference that a measure shows: less is rounding


@dataclass(frozen=True)
class Question:
    """Real clips of an instrument: where they come from, and how much of them."""

    dataset: str
    values: tuple[tuple[str, Any], ...]  # the dataset's options
    root: str  # where the user says it is; '' where not said
    split: str
    instrument: str
    tracks: int
    seconds: float


def validate(
    question: Question,
    metrics: Sequence[Chosen],
    jobs: int,
    progress: Progress = lambda what, share: None,
) -> list[Row]:
    """A row for each degradation and measure: value, n, whether the metric ``sees`` the fault
    (its difference from the untouched clips, track by track, leaves out zero; None where that
    cannot be asked), status and reason."""
    pieces = [_Piece(question, name, chosen) for chosen in metrics for name in DEGRADATIONS]
    answers = run_all(pieces, jobs, progress)
    rows: list[Row] = []
    for piece, answer in zip(pieces, answers, strict=True):
        died = [_row(piece, m, None, {}, "its process died") for m in piece.measures]
        rows += died if answer is None else answer
    return [_seen(row, rows) for row in rows]


def ask_metrics(
    dataset: str,
    instrument: str,
    *,
    metrics: Sequence[str],
    options: Mapping[str, Mapping[str, Any]],
    data_root: str | None,
    split: str,
    tracks: int,
    seconds: float,
    jobs: int | None,
    progress: Progress,
) -> list[Row]:
    """:func:`validate` in the words of a command line. Without ``metrics`` all are asked that
    compare with something: nearness to training clips is about generated music."""
    named = parse_words(metrics)
    metrics_of_audio = [e for e in registry().of("metric") if e.info.kind != "cell"]
    every = [e.name for e in metrics_of_audio if "transfer" in e.info.kinds]
    config = RunConfig(
        dataset=dataset,
        metrics=named or tuple(every),
        options={name: dict(values) for name, values in options.items()},
        data_root=data_root or "",
    )
    check_owners(config, registry())
    chosen = [chosen_metric(metric_record(c)) for c in choose_metrics(registry(), config)]
    if of_cell := next((c.entry.name for c in chosen if c.entry.info.kind == "cell"), None):
        raise BenchError(f"metric '{of_cell}' measures a run's cells, not audio.")
    entry = registry().find("dataset", dataset)
    values = values_of(entry, options.get(dataset, {}))
    root = root_of(config)
    make_embedded(entry, values, root, progress)
    question = Question(
        dataset, tuple(sorted(values.items())), str(root or ""), split, instrument, tracks, seconds
    )
    _clips(question, 16000)  # a name that is wrong is told at once
    return validate(question, chosen, jobs or os.cpu_count() or 1, progress)


@dataclass(frozen=True)
class _Piece:
    """One metric under one degradation, in a worker."""

    question: Question
    degradation: str
    metric: Chosen

    @property
    def measures(self) -> list[str]:
        return [m.name for m in self.metric.entry.info.measures]

    def run(self) -> list[Row]:
        found, reason = measure.ask_in_passing(self._measured)
        if found is None:
            return [_row(self, m, None, {}, reason) for m in self.measures]
        return found

    def _measured(self) -> list[Row]:
        metric = measure.create_metric(self.metric)
        if lacking := measure.missing(metric):
            return [_row(self, m, None, {}, lacking) for m in self.measures]
        info = self.metric.entry.info
        real = _clips(self.question, info.rate)
        made = _degraded(self.question, self.degradation, info.rate)
        if info.kind == "pair":
            return self._by_item(metric, real, made)
        question = self.question
        references, _ = _references(question)(question.instrument, info.rate, info.references)
        values, details = metric.measure(references, made)
        shares = _shares(values, details)
        first = self.measures[0]  # that of the shares
        return [_row(self, m, values.get(m), shares if m == first else {}) for m in self.measures]

    def _by_item(self, metric: Any, real: Sequence[Clip], made: Sequence[Clip]) -> list[Row]:
        found: dict[str, dict[str, float]] = {name: {} for name in self.measures}
        why = ""
        for reference, estimate in zip(real, made, strict=True):
            values, reason = measure.ask_in_passing(metric.measure, reference, estimate)
            why = why or reason
            for name, value in (values or {}).items():
                found[name][reference.track] = value
        return [
            _row(self, name, mean(list(of.values())) if of else None, of, "" if of else why)
            for name, of in found.items()
        ]


def _row(
    piece: _Piece,
    name: str,
    value: float | None,
    by_track: Mapping[str, float],
    reason: str = "",
) -> Row:
    return {
        "degradation": piece.degradation,
        "measure": name,
        "value": value,
        "by_track": dict(by_track),
        "reason": reason,
    }


def _shares(values: Mapping[str, float], details: Mapping[str, Any]) -> dict[str, float]:
    """What each track gives to a set distance: its own value, or its share."""
    if by_track := details.get("by_track"):
        return dict(by_track)
    return pseudo_values(next(iter(values.values())), details.get("without") or {})


def _seen(row: Row, rows: Sequence[Row]) -> Row:
    own = [r for r in rows if r["measure"] == row["measure"] and r["value"] is not None]
    plain = next((r for r in own if r["degradation"] == UNTOUCHED), None)
    if plain is None or row["value"] is None or row["degradation"] == UNTOUCHED:
        return row | {"sees": None}
    sees = separated(row["by_track"], plain["by_track"]) if row["by_track"] else None
    span = max(abs(r["value"] - plain["value"]) for r in own)
    if abs(row["value"] - plain["value"]) < LEAST * span:  # rounding
        sees = False
    return row | {"sees": sees}


# ---------------------------------------------------------------------------- real clips


@lru_cache(maxsize=2)
def _corpus(question: Question) -> Corpus:
    data = {
        "name": question.dataset,
        "values": dict(question.values),
        "root": question.root or None,
    }
    return apply_split(open_dataset(data).corpus(), question.split)


@lru_cache(maxsize=2)
def _references(question: Question) -> References:
    return References(_corpus(question))


@lru_cache(maxsize=32)
def _degraded(question: Question, degradation: str, rate: int) -> list[Clip]:
    return [DEGRADATIONS[degradation](clip) for clip in _clips(question, rate)]


@lru_cache(maxsize=4)
def _clips(question: Question, rate: int) -> list[Clip]:
    """The test tracks of the instrument, with their written notes where they are known."""
    corpus = _corpus(question)
    tracks = corpus.tracks_of("test", question.instrument)[: question.tracks]
    if not tracks:
        raise BenchError(
            f"{corpus.name} has no test track by '{question.instrument}'.",
            hint=f"It has {', '.join(corpus.instruments)}.",
        )
    clips = []
    for track in tracks:
        clip = corpus.load(track.id, question.instrument, rate, question.seconds)
        notes = notes_of(corpus, track.id, question.instrument)
        within = None if notes is None else tuple(n for n in notes if n.onset < clip.seconds)
        clips.append(replace(clip, notes=within))
    return clips
