"""Kernel audio distance: by hand, by another implementation, and its bias by simulation."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from timbrebench.benchmarks import measure
from timbrebench.benchmarks.metrics import kernel
from timbrebench.benchmarks.metrics.kernel import (
    median_distance,
    squared_mmd,
)
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.records import Clip

RATE = 16000


def noises(count: int, seed: int, tilt: float = 0.0) -> list[Clip]:
    rng = np.random.default_rng(seed)
    clips = []
    for index in range(count):
        white = rng.standard_normal(4 * RATE)
        samples = 0.1 * (white - tilt * np.roll(white, 1))
        clips.append(Clip(samples.astype(np.float32), RATE, track=f"t{index}"))
    return clips


def test_two_points_against_two_by_hand() -> None:
    """At 0 and 1 against 0 and 2, with b = 1: within x e^-½, within y e^-2, between the mean of
    1, e^-2, e^-½ and e^-½."""
    x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [2.0]])
    between = (1 + math.exp(-2) + 2 * math.exp(-0.5)) / 4
    expected = math.exp(-0.5) + math.exp(-2) - 2 * between
    assert squared_mmd(x, y, 1.0) == pytest.approx(expected, abs=1e-12)


def test_equals_scipys_distances_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 8)), rng.standard_normal((37, 8)) + 0.5
    b = median_distance(x)
    assert b == pytest.approx(np.median(pdist(x)))
    of_x, of_y = (np.exp(-(pdist(v) ** 2) / (2 * b**2)).mean() for v in (x, y))
    expected = of_x + of_y - 2 * np.exp(-(cdist(x, y) ** 2) / (2 * b**2)).mean()
    assert squared_mmd(x, y, b) == pytest.approx(expected, abs=1e-12)
    monkeypatch.setattr(kernel, "_BLOCK", 7)  # in blocks it is the same
    assert squared_mmd(x, y, b) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [5, 50])
def test_two_samples_of_one_distribution_are_about_zero_apart_at_any_n(n: int) -> None:
    rng = np.random.default_rng(n)
    found = [squared_mmd(*rng.standard_normal((2, n, 4)), 2.0) for _ in range(400)]
    error = np.std(found) / math.sqrt(len(found))
    assert abs(np.mean(found)) < 3.5 * error
    assert min(found) < 0 < max(found)


def test_the_bandwidth_of_many_vectors_is_that_of_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(0).standard_normal((3000, 3))
    whole = median_distance(vectors)
    monkeypatch.setattr(kernel, "MOST_FOR_MEDIAN", 500)
    assert median_distance(vectors) == pytest.approx(whole, rel=0.05)
    assert median_distance(vectors) == median_distance(vectors)


def test_it_sees_colour_and_not_level() -> None:
    real = noises(4, 0)
    quiet = [Clip(0.25 * c.samples, RATE) for c in noises(4, 1)]
    same, details = measure.with_defaults("kad_logmel").measure(real, quiet)
    other, _ = measure.with_defaults("kad_logmel").measure(real, noises(4, 1, tilt=0.9))
    assert abs(same["kad_logmel"]) < 3 < 50 < other["kad_logmel"]
    assert details["n"] == details["n_reference"] == 16 and details["bandwidth"] > 0


def test_references_without_a_distance_are_refused() -> None:
    same = [Clip(np.ones(4 * RATE, np.float32), RATE, track=str(i)) for i in range(3)]
    with pytest.raises(CannotMeasure, match="one and the same"):
        measure.with_defaults("kad_logmel").measure(same, noises(2, 0))
