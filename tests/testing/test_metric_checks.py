"""``check_metric`` passes a good metric and names the fault of each bad one."""

from dataclasses import replace

import numpy as np
import pytest

from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import CellMetric, Measure, MetricInfo, PairMetric, SetMetric
from timbrebench.testing import check_metric

PAIR = MetricInfo(
    "distance",
    "root mean square of the difference",
    f"{__name__}:Distance",
    measures=(Measure("distance", "", False),),
)


class Distance(PairMetric):
    def measure(self, reference, estimate):
        a, b = _usable(reference), _usable(estimate)
        length = min(len(a), len(b))
        return {"distance": float(np.sqrt(np.mean((a[:length] - b[:length]) ** 2)))}


def _usable(clip):
    if not len(clip.samples) or not np.isfinite(clip.samples).all():
        raise CannotMeasure("it is empty or has NaN")
    return clip.samples


def test_a_good_pair_metric_passes():
    check_metric(PAIR)


class Silent(Distance):
    """Gives -1 for what it cannot measure."""

    def measure(self, reference, estimate):
        try:
            return super().measure(reference, estimate)
        except CannotMeasure:
            return {"distance": -1.0}


class Nan(PairMetric):
    def measure(self, reference, estimate):
        with np.errstate(all="ignore"):
            ratio = _usable(reference).std() / _usable(estimate).std()
        return {"distance": float(abs(ratio - 1))}


class Upside(Distance):
    def measure(self, reference, estimate):
        return {"distance": -super().measure(reference, estimate)["distance"]}


class Misnamed(Distance):
    def measure(self, reference, estimate):
        return {"rms": 0.0}


class Random(Distance):
    def measure(self, reference, estimate):
        value = super().measure(reference, estimate)["distance"]
        return {"distance": value + np.random.random()}


class Scales(Distance):
    def measure(self, reference, estimate):
        estimate.samples[:] *= 0.5
        return super().measure(reference, estimate)


class Crashes(Distance):
    def measure(self, reference, estimate):
        if not estimate.samples.any():
            raise ValueError("silent")
        return super().measure(reference, estimate)


@pytest.mark.parametrize(
    "metric, fault",
    [
        (Silent, "gives a number for an estimate of NaN"),
        (Nan, "of an estimate of silence is (nan|inf)"),
        (Upside, "calls noise better"),
        (Misnamed, r"gives \['rms'\]"),
        (Random, "other values the second time"),
        (Scales, "changes the clips"),
        (Crashes, "measure of an estimate of silence raised ValueError"),
    ],
)
def test_a_faulty_metric_is_named(metric, fault):
    with pytest.raises(AssertionError, match=fault):
        check_metric(replace(PAIR, factory=f"{__name__}:{metric.__name__}"))


class MeanLevel(SetMetric):
    def measure(self, references, estimates):
        levels = [
            np.mean([np.abs(_usable(c)).mean() for c in clips]) for clips in (references, estimates)
        ]
        return {"distance": float(abs(levels[0] - levels[1]))}, {"n": len(estimates)}


class Uncounted(MeanLevel):
    def measure(self, references, estimates):
        return super().measure(references, estimates)[0], {}


def test_set_metrics():
    info = replace(PAIR, kind="set", factory=f"{__name__}:MeanLevel")
    check_metric(info)
    with pytest.raises(AssertionError, match="lack a count 'n'"):
        check_metric(replace(info, factory=f"{__name__}:Uncounted"))


class Steps(CellMetric):
    def measure(self, outcome):
        return {name: float(value) for name, value in outcome.items()}


def test_cell_metrics():
    info = replace(PAIR, kind="cell", factory=f"{__name__}:Steps", measures=(Measure("steps"),))
    check_metric(info, outcome={"steps": 3})
    with pytest.raises(AssertionError, match="which its info does not name"):
        check_metric(info, outcome={"stairs": 3})


def test_a_wrong_kind_or_class_is_named():
    with pytest.raises(AssertionError, match="kind"):
        check_metric(replace(PAIR, kind="triple"))
    with pytest.raises(AssertionError, match="no subclass of SetMetric"):
        check_metric(replace(PAIR, kind="set"))
