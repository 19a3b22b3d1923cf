"""Scores folders of audio: file by file, and as sets, over all cores."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from timbrebench.benchmarks import measure
from timbrebench.benchmarks.matching import Files, Sides, sides
from timbrebench.benchmarks.measure import Chosen
from timbrebench.benchmarks.parallel import Piece, run_all
from timbrebench.benchmarks.score_rows import Answer, item_row, set_row
from timbrebench.benchmarks.score_sets import DIED, EmbeddedSets
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import LABELLED, PairMetric, Progress
from timbrebench.core.records import Clip
from timbrebench.core.registry import OURS

Key = tuple[str, str]  # (metric, item); the item of a set is ''


def score_folders(
    reference: Path | None,
    estimate: Path,
    metrics: Sequence[Chosen],
    *,
    against: Path | None = None,
    source: Path | None = None,
    jobs: int | None = None,
    progress: Progress = lambda what, share: None,
) -> dict[str, Any]:
    """Scores files of equal names (path in the folder without suffix), or one file.

    Set metrics compare the estimates with the files of ``against``, or with ``reference``. Where
    there is no ``reference``, the pitch metrics take ``source``.

    Returns ``metrics``: row name → mean, n, unit, higher_is_better, reference, failed (name →
    reason) and, of a pair metric, items (name → value) and interval; and ``unmatched``: the names
    of one side only. A file that cannot be used is a failed item. ``jobs``: processes, one a core
    by default.
    """
    given = sides(reference, estimate, against, source)
    has = {"reference": reference, "source": source, "against": against}
    for chosen in metrics:
        if refused := obstacle(chosen, **{name: of is not None for name, of in has.items()}):
            raise refused
    found = _measure_all(given, metrics, jobs or os.cpu_count() or 1, progress)
    rows = {
        m.name: item_row(m, {name: found[entry.name, name] for name in given.pairs})
        | {"reference": given.pairs_are}
        if entry.info.kind == "pair"
        else set_row(m, found[entry.name, ""])
        | {"reference": "against" if against else "reference"}
        for entry in (chosen.entry for chosen in metrics)
        for m in entry.info.measures
    }
    return {"metrics": rows, "unmatched": dict(given.unmatched)}


def obstacle(chosen: Chosen, *, reference: bool, source: bool, against: bool) -> BenchError | None:
    """Why a metric cannot be asked of folders, given which of them there are; None if it can."""
    name, info = chosen.entry.name, chosen.entry.info
    if info.kind == "cell":
        return BenchError(f"metric '{name}' measures a run's cells, not folders of audio.")
    if info.written or info.references == LABELLED:
        return BenchError(
            f"metric '{name}' needs what only a corpus knows: written notes, or other instruments.",
            hint="Use it in bench run, with --methods files:DIR for audio that you have.",
        )
    if info.kind == "set":
        if reference or against:
            return None
        return BenchError(
            f"metric '{name}' compares with real music by the target, and a source is none.",
            hint="Give --against, a folder of such music, or --reference.",
        )
    if reference or (source and info.against_source):
        return None
    if source:
        return BenchError(
            f"metric '{name}' needs true counterparts: a source is none.",
            hint="Give --reference, or leave the metric out.",
        )
    return BenchError(
        f"metric '{name}' compares each file with its counterpart, and there is none.",
        hint="Give --reference, a folder with files of the same names.",
    )


def _measure_all(
    given: Sides, metrics: Sequence[Chosen], jobs: int, progress: Progress
) -> dict[Key, Answer]:
    by_item = tuple(c for c in metrics if c.entry.info.kind == "pair")
    by_set = [c for c in metrics if c.entry.info.kind == "set"]
    embedded = EmbeddedSets(given, [c for c in by_set if _is_ours(c)])
    # The longest first, so that no core waits for it at the end.
    pieces: list[_Set | _Pair] = [_Set(given, c) for c in by_set if not _is_ours(c)]
    pieces += [_Pair(name, files, by_item) for name, files in given.pairs.items() if by_item]
    work: list[Piece[Any]] = [*embedded.work, *pieces]
    answers = run_all(work, jobs, progress) if work else []
    split = len(embedded.work)
    for index, group in enumerate(embedded.work):
        if answers[index] is None:  # one file of it killed the process: the others are well
            alone = run_all(group.alone(), jobs, progress)
            answers[index] = [DIED if found is None else found[0] for found in alone]
    found = {(name, ""): answer for name, answer in embedded.answers(answers[:split]).items()}
    died = Answer(reason="its process died while it was measured")
    for piece, told in zip(pieces, answers[split:], strict=True):
        found |= dict.fromkeys(piece.keys, died) if told is None else told
    return found


def _is_ours(chosen: Chosen) -> bool:
    """Whether it is one of our distances between sets of vectors, which can be kept."""
    return chosen.embedding is not None and chosen.entry.distribution == OURS


# ---------------------------------------------------------------------------- in a worker


@dataclass(frozen=True)
class _Pair:
    """One pair of files under the pair metrics."""

    name: str
    files: tuple[Path, Path]
    metrics: tuple[Chosen, ...]

    @property
    def keys(self) -> list[Key]:
        return [(chosen.entry.name, self.name) for chosen in self.metrics]

    def run(self) -> dict[Key, Answer]:
        return {(c.entry.name, self.name): self._answer(c) for c in self.metrics}

    def _answer(self, chosen: Chosen) -> Answer:
        values, reason = measure.ask_in_passing(self._measure, chosen)
        return Answer(values or {}, reason)

    def _measure(self, chosen: Chosen) -> dict[str, float]:
        clips = [_load(file, chosen.entry.info.rate, self.name) for file in self.files]
        return measure.finite(_pair_metric(chosen).measure(*clips))


@dataclass(frozen=True)
class _Set:
    """Both sides under one set metric that wants the audio itself."""

    given: Sides
    metric: Chosen

    @property
    def keys(self) -> list[Key]:
        return [(self.metric.entry.name, "")]

    def run(self) -> dict[Key, Answer]:
        return {self.keys[0]: self._answer()}

    def _answer(self) -> Answer:
        metric, reason = measure.ask_in_passing(measure.create_metric, self.metric)
        if metric is None:
            return Answer(reason=reason)
        if lacking := measure.missing(metric):
            return Answer(reason=lacking, missing=True)
        failed: dict[str, str] = {}
        both = self.given.references, self.given.estimates
        references, estimates = (self._load_side(files, failed) for files in both)
        answer, reason = measure.ask_in_passing(metric.measure, references, estimates)
        if answer is None:
            return Answer(reason=reason, failed=failed)
        values, reason = measure.ask_in_passing(measure.finite, answer[0])
        return Answer(values or {}, reason, details=answer[1], failed=failed)

    def _load_side(self, files: Files, failed: dict[str, str]) -> list[Clip]:
        """The clips of a side; files that are no audio are added to ``failed``."""
        clips = []
        for name, file in files.items():
            clip, reason = measure.ask_in_passing(_load, file, self.metric.entry.info.rate, name)
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
