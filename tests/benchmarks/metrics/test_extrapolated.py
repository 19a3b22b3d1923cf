"""FAD∞: its line by hand, and what it takes away of the bias."""

import numpy as np
import pytest

from timbrebench.benchmarks import measure
from timbrebench.benchmarks.metrics.extrapolated import (
    extrapolate,
    subset_distances,
)
from timbrebench.benchmarks.metrics.frechet import frechet_distance, gaussian
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.records import Clip

RATE = 16000


def noises(count: int, seconds: float) -> list[Clip]:
    rng = np.random.default_rng(0)
    size = (count, int(seconds * RATE))
    samples = (0.1 * rng.standard_normal(size)).astype(np.float32)
    return [Clip(s, RATE, track=f"t{i}") for i, s in enumerate(samples)]


def test_a_line_is_followed_to_its_end() -> None:
    value, fit = extrapolate([(n, 3 + 200 / n) for n in (100, 200, 500)])
    assert value == pytest.approx(3)
    assert fit["slope"] == pytest.approx(200) and fit["r_squared"] == pytest.approx(1)
    assert fit["points"][0] == [100, 5.0]


def test_below_zero_is_zero() -> None:
    assert extrapolate([(100, 1.0), (200, 0.3)])[0] == 0


def test_the_bias_of_few_vectors_goes() -> None:
    """Two samples of one Gaussian are at no distance; FAD of 600 vectors says otherwise."""
    rng = np.random.default_rng(0)
    real = rng.standard_normal((20_000, 32))
    clips = list(rng.standard_normal((60, 10, 32)))
    plain = frechet_distance(*gaussian(real), *gaussian(np.concatenate(clips)))
    value, fit = extrapolate(subset_distances(real, clips))
    assert value < 0.2 * plain
    assert fit["r_squared"] > 0.95
    assert fit["points"][0][0] == 120 and fit["points"][-1][0] == 600


def test_a_distance_that_is_there_stays() -> None:
    rng = np.random.default_rng(0)
    real = rng.standard_normal((20_000, 32))
    clips = list(rng.standard_normal((60, 10, 32)) + 0.5)  # ‖Δμ‖² = 8
    assert extrapolate(subset_distances(real, clips))[0] == pytest.approx(8, rel=0.08)


def test_it_measures_the_same_each_time_and_shows_its_fit() -> None:
    clips = noises(12, 42)
    values, details = measure.with_defaults("fadinf_logmel").measure(clips, clips)
    assert measure.with_defaults("fadinf_logmel").measure(clips, clips)[0] == values
    assert values["fadinf_logmel"] >= 0 and len(details["points"]) == 45


@pytest.mark.parametrize("clips", [noises(10, 10), noises(3, 200)])
def test_few_vectors_or_clips_are_refused(clips: list[Clip]) -> None:
    with pytest.raises(CannotMeasure, match="at least 500"):
        measure.with_defaults("fadinf_logmel").measure(clips, clips)
