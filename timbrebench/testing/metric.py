"""``check_metric``: whether a metric keeps its contract."""

import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import CellMetric, EmbeddingInfo, MetricInfo, PairMetric, SetMetric
from timbrebench.core.records import KINDS, Clip
from timbrebench.testing.corpus import tiny_corpus
from timbrebench.testing.infos import check_info, make
from timbrebench.testing.problems import Problems

if TYPE_CHECKING:
    import numpy as np

BASES: dict[str, type] = {"pair": PairMetric, "set": SetMetric, "cell": CellMetric}
Values = Mapping[str, float]


def check_metric(
    info: MetricInfo,
    *,
    options: Mapping[str, Any] = {},
    embedding: EmbeddingInfo | None = None,
    outcome: Mapping[str, Any] = {},
) -> None:
    """Checks a metric on synthetic clips; AssertionError with all that is wrong.

    Its measures all appear, finite and the same each time; a perfect estimate is not worse than
    a poor one; silence, NaN and what is too short never become a number silently. A set metric
    may need its ``embedding``, a cell metric an ``outcome`` as a run records it.
    """
    problems = Problems(f"metric '{info.name}'")
    if not problems.expect(info.kind in BASES, f"its kind is none of {', '.join(BASES)}"):
        problems.report()
    _check_claims(problems, info)
    if check_info(problems, info, BASES[info.kind]):
        with problems.attempt("measure"), tempfile.TemporaryDirectory() as name:
            metric = make(info, options, *_embeddings(embedding))
            if info.kind == "cell":
                _check_cell(problems, info, metric, outcome)
            else:
                _Check(problems, info, metric, Path(name)).run()
    problems.report()


def _embeddings(info: EmbeddingInfo | None) -> list[Any]:
    """The embedding as a run makes it, if there is one."""
    if info is None:
        return []
    embedding = make(info, {})
    embedding.info = info
    return [embedding]


def _check_claims(problems: Problems, info: MetricInfo) -> None:
    names = [measure.name for measure in info.measures]
    problems.expect(names, "it has no measures")
    problems.expect(len(set(names)) == len(names), f"two of its measures share a name: {names}")
    problems.expect(set(info.kinds) <= set(KINDS), f"its kinds {info.kinds} are not of {KINDS}")


def _check_cell(
    problems: Problems, info: MetricInfo, metric: CellMetric, outcome: Mapping[str, Any]
) -> None:
    problems.expect(metric.measure({}) is not None, "measure of an empty outcome gives None")
    values = metric.measure(outcome)
    unknown = set(values) - {measure.name for measure in info.measures}
    problems.expect(not unknown, f"measure gives {unknown}, which its info does not name")
    _expect_finite(problems, "an outcome", values)


class _Check:
    """The checks that pair and set metrics share: both are called with two lists of clips."""

    def __init__(self, problems: Problems, info: MetricInfo, metric: Any, folder: Path) -> None:
        self.problems, self.info, self.metric = problems, info, metric
        self.names = {measure.name for measure in info.measures}
        corpus = tiny_corpus(folder)
        self.references, self.estimates = (
            [corpus.load(track.id, name, info.rate) for track in corpus.tracks]
            for name in ("reed", "bell")
        )

    def run(self) -> None:
        before = [c.samples.copy() for c in (*self.references, *self.estimates)]
        values = self.measure(self.references, self.estimates)
        given = set(values) == self.names
        self.problems.expect(
            given, f"measure gives {sorted(values)} where its info names {sorted(self.names)}"
        )
        _expect_finite(self.problems, "ordinary clips", values)
        again = self.measure(self.references, self.estimates)
        self.problems.expect(values == again, "measure gives other values the second time")
        after = [c.samples for c in (*self.references, *self.estimates)]
        kept = all((a == b).all() for a, b in zip(before, after, strict=True))
        self.problems.expect(kept, "measure changes the clips that it is given")
        self._check_direction()
        for what, (samples, refused) in _hostile(self.references[0]).items():
            self._check_hostile(what, samples, refused)

    def measure(self, references: list[Clip], estimates: list[Clip]) -> Values:
        if self.info.kind == "pair":
            return self.metric.measure(references[0], estimates[0])
        values, details = self.metric.measure(references, estimates)
        self.problems.expect(isinstance(details.get("n"), int), "its details lack a count 'n'")
        with self.problems.attempt("writing its details as JSON"):
            json.dumps(dict(details))
        return values

    def _check_direction(self) -> None:
        """A perfect estimate against noise."""
        import numpy as np

        rng = np.random.default_rng(0)
        noise = [
            replace(c, samples=0.1 * rng.standard_normal(len(c.samples), dtype=np.float32))
            for c in self.references
        ]
        perfect = self.measure(self.references, self.references)
        try:
            poor = self.measure(self.references, noise)
        except CannotMeasure:
            return
        for measure in self.info.measures:
            if measure.higher_is_better is None:
                continue
            sign = 1 if measure.higher_is_better else -1
            gain = sign * (perfect[measure.name] - poor[measure.name])
            self.problems.expect(
                gain >= 0, f"'{measure.name}' calls noise better than a perfect estimate"
            )

    def _check_hostile(self, what: str, samples: "np.ndarray", refused: bool) -> None:
        hostile = [replace(self.estimates[0], samples=samples)]
        self._expect_safe(f"an estimate of {what}", refused, self.references, hostile)
        self._expect_safe(f"a reference of {what}", refused, hostile, self.estimates)
        self._expect_safe(f"reference and estimate of {what}", refused, hostile, hostile)

    def _expect_safe(
        self, what: str, refused: bool, references: list[Clip], estimates: list[Clip]
    ) -> None:
        values = _measured(self.problems, what, lambda: self.measure(references, estimates))
        if values is None:
            return
        if refused:
            self.problems.expect(False, f"measure gives a number for {what}: CannotMeasure is due")
        _expect_finite(self.problems, what, values)


def _measured(problems: Problems, what: str, call: Callable[[], Values]) -> Values | None:
    """The values, or None where the metric says that it cannot measure."""
    with problems.attempt(f"measure of {what}"):
        try:
            return call()
        except CannotMeasure as error:
            problems.expect(str(error), f"CannotMeasure of {what} has no reason")
    return None


def _expect_finite(problems: Problems, what: str, values: Values) -> None:
    for name, value in values.items():
        finite = isinstance(value, (int, float)) and math.isfinite(value)
        problems.expect(finite, f"'{name}' of {what} is {value!r}, no finite float")


def _hostile(clip: Clip) -> dict[str, tuple["np.ndarray", bool]]:
    """Samples, and whether no number at all may be given for them."""
    import numpy as np

    silent = np.zeros(clip.rate, np.float32)
    with_nan = clip.samples.copy()
    with_nan[len(with_nan) // 2] = np.nan
    return {
        "silence": (silent, False),
        "a constant": (silent + np.float32(0.5), False),
        "10 samples": (clip.samples[1000:1010], False),
        "no samples": (clip.samples[:0], True),
        "NaN": (with_nan, True),
    }
