"""Scores a folder of estimates against a folder of references, over all cores."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from timbrebench.benchmarks import measure
from timbrebench.benchmarks.matching import Pairs, match
from timbrebench.benchmarks.measure import Chosen
from timbrebench.benchmarks.parallel import run_all
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Measure, PairMetric, Progress
from timbrebench.core.records import Clip


def score_folders(
    reference: Path,
    estimate: Path,
    metrics: Sequence[Chosen],
    *,
    jobs: int | None = None,
    progress: Progress = lambda what, share: None,
) -> dict[str, Any]:
    """Scores files of equal names (path in the folder without suffix), or one file.

    Returns ``metrics``: row name → mean, n, unit, higher_is_better, failed (name → reason) and,
    of a pair metric, items (name → value); and ``unmatched``: the names of one side only. A file
    that cannot be used is a failed item. ``jobs``: processes, one a core by default.
    """
    for chosen in metrics:
        if chosen.entry.info.kind == "cell":
            raise BenchError(
                f"metric '{chosen.entry.name}' measures a run's cells, not folders of audio."
            )
    pairs, unmatched = match(reference, estimate)
    found = _measure_all(pairs, metrics, jobs or os.cpu_count() or 1, progress)
    rows = {
        m.name: _item_row(m, {name: found[entry.name, name] for name in pairs})
        if entry.info.kind == "pair"
        else _set_row(m, found[entry.name, ""])
        for entry in (chosen.entry for chosen in metrics)
        for m in entry.info.measures
    }
    return {"metrics": rows, "unmatched": unmatched}


def _measure_all(
    pairs: Pairs,
    metrics: Sequence[Chosen],
    jobs: int,
    progress: Progress,
) -> "Answers":
    by_item = tuple(c for c in metrics if c.entry.info.kind == "pair")
    by_set = [c for c in metrics if c.entry.info.kind == "set"]
    # The longest first, so that no core waits for it at the end.
    work: list[_Set | _Pair] = [_Set(pairs, chosen) for chosen in by_set]
    work += [_Pair(name, files, by_item) for name, files in pairs.items() if by_item]
    died = Answer(reason="its process died while it was measured")
    found: Answers = {}
    for piece, answers in zip(work, run_all(work, jobs, progress), strict=True):
        found |= dict.fromkeys(piece.keys, died) if answers is None else answers
    return found


# ---------------------------------------------------------------------------- in a worker


@dataclass(frozen=True)
class Answer:
    """What a metric said of an item, or of a set: values, or the reason that there are none."""

    values: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    missing: bool = False  # the metric lacks something that a command gets
    details: Mapping[str, Any] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)  # of a set: item → reason


Answers = dict[tuple[str, str], Answer]  # by (metric, item); the item of a set is ''


@dataclass(frozen=True)
class _Pair:
    """One pair of files under the pair metrics."""

    name: str
    files: tuple[Path, Path]
    metrics: tuple[Chosen, ...]

    @property
    def keys(self) -> list[tuple[str, str]]:
        return [(chosen.entry.name, self.name) for chosen in self.metrics]

    def run(self) -> Answers:
        return {(c.entry.name, self.name): self._answer(c) for c in self.metrics}

    def _answer(self, chosen: Chosen) -> Answer:
        values, reason = measure.ask(self._measure, chosen)
        return Answer(values or {}, reason)

    def _measure(self, chosen: Chosen) -> dict[str, float]:
        clips = [_load(file, chosen.entry.info.rate, self.name) for file in self.files]
        return measure.finite(_pair_metric(chosen).measure(*clips))


@dataclass(frozen=True)
class _Set:
    """All pairs under one set metric."""

    pairs: Pairs
    metric: Chosen

    @property
    def keys(self) -> list[tuple[str, str]]:
        return [(self.metric.entry.name, "")]

    def run(self) -> Answers:
        return {self.keys[0]: self._answer()}

    def _answer(self) -> Answer:
        metric, reason = measure.ask(measure.create_metric, self.metric)
        if metric is None:
            return Answer(reason=reason)
        if lacking := measure.missing(metric):
            return Answer(reason=lacking, missing=True)
        failed: dict[str, str] = {}
        references, estimates = (self._load_side(side, failed) for side in (0, 1))
        answer, reason = measure.ask(metric.measure, references, estimates)
        if answer is None:
            return Answer(reason=reason, failed=failed)
        values, reason = measure.ask(measure.finite, answer[0])
        return Answer(values or {}, reason, details=answer[1], failed=failed)

    def _load_side(self, side: int, failed: dict[str, str]) -> list[Clip]:
        """The clips of a side; files that are no audio are added to ``failed``."""
        clips = []
        for name, files in self.pairs.items():
            clip, reason = measure.ask(_load, files[side], self.metric.entry.info.rate, name)
            if clip is None:
                failed[name] = reason
            else:
                clips.append(clip)
        return clips


_pair_metrics: dict[str, PairMetric] = {}  # of this process: each is created once


def _pair_metric(chosen: Chosen) -> PairMetric:
    name = chosen.entry.name
    if name not in _pair_metrics:
        _pair_metrics[name] = measure.create_metric(chosen)
    return _pair_metrics[name]


@lru_cache(maxsize=4)  # the metrics of a pair ask for the same files
def _load(file: Path, rate: int, name: str) -> Clip:
    from timbrebench.core import audio

    return Clip(audio.load(file, rate), rate, track=name)


# ---------------------------------------------------------------------------- rows


def _item_row(m: Measure, found: Mapping[str, Answer]) -> dict[str, Any]:
    """One measure over all pairs. A pair for which it means nothing is in ``not_applicable``."""
    failed = {name: answer.reason for name, answer in found.items() if answer.reason}
    items = {name: a.values[m.name] for name, a in found.items() if m.name in a.values}
    return {
        "mean": sum(items.values()) / len(items) if items else None,
        "n": len(items),
        "items": items,
        "failed": failed,
        "not_applicable": [name for name in found if name not in items and name not in failed],
        "unit": m.unit,
        "higher_is_better": m.higher_is_better,
    }


def _set_row(m: Measure, answer: Answer) -> dict[str, Any]:
    """One measure of the whole folder; ``n`` counts vectors. ``mean`` is its value."""
    value = answer.values.get(m.name)
    return {
        "mean": value,
        "value": value,
        "n": answer.details.get("n", 0),
        "failed": answer.failed,
        "status": "missing" if answer.missing else "failed" if answer.reason else "ok",
        "reason": answer.reason,
        "details": answer.details,
        "unit": m.unit,
        "higher_is_better": m.higher_is_better,
    }
