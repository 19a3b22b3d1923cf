"""Intervals by closed form and by their coverage; tests by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from timbrebench.benchmarks.metrics.frechet import DistanceTo, gaussian
from timbrebench.core.statistics import (
    crossed_interval,
    holm,
    jackknife_interval,
    separated,
    swap_p,
    swap_p_of_means,
    t_interval,
)


def test_t_interval_is_scipys() -> None:
    values = [0.1, 0.4, 0.35, 0.2, 0.7]
    centre, error = np.mean(values), stats.sem(values)
    assert t_interval(values) == pytest.approx(stats.t.interval(0.95, 4, centre, error))
    assert t_interval([1.0, 2.0]) is None


def test_the_jackknife_of_a_mean_is_its_t_interval() -> None:
    values = [0.1, 0.4, 0.35, 0.2, 0.7]
    without = [np.mean(values[:i] + values[i + 1 :]) for i in range(5)]
    assert jackknife_interval(np.mean(values), without) == pytest.approx(t_interval(values))
    assert jackknife_interval(1.0, [1.0, 2.0]) is None


def test_the_t_interval_covers_what_it_says() -> None:
    """Of 2,000 times ten tracks, skewed as Jaccard distances are."""
    rng = np.random.default_rng(0)
    drawn = rng.beta(4, 6, (2000, 10))
    intervals = [t_interval(row.tolist()) for row in drawn]
    covered = np.mean([i is not None and i[0] <= 0.4 <= i[1] for i in intervals])
    assert 0.93 < covered < 0.97


def test_one_seed_is_an_interval_over_tracks() -> None:
    values = [0.1, 0.5, 0.4, 0.2]
    assert crossed_interval([values]) == t_interval(values)
    assert crossed_interval([[0.1, 0.2], [0.3, 0.4]]) is None


def test_seeds_that_agree_add_nothing() -> None:
    values = [0.1, 0.5, 0.4, 0.2]
    assert crossed_interval([values, values, values]) == pytest.approx(t_interval(values))


def test_two_seeds_of_three_tracks_by_hand() -> None:
    """Tracks' means 1, 2, 3 and seeds' 1.5, 2.5 without rest: MS_tracks = 2, MS_seeds = 1.5; the
    variance 3.5 / 6 with 3.5² / (2²/2 + 1.5²/1) = 2.88 degrees of freedom."""
    found = crossed_interval([[0.5, 1.5, 2.5], [1.5, 2.5, 3.5]])
    half = stats.t.ppf(0.975, 12.25 / 4.25) * math.sqrt(3.5 / 6)
    assert found == pytest.approx((2 - half, 2 + half))


@pytest.mark.parametrize("of_seeds", [0.0, 0.3, 1.0])
def test_the_interval_over_tracks_and_seeds_covers_what_it_says(of_seeds: float) -> None:
    """Of three seeds on ten tracks, where seeds differ not at all, a little, or much."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(1500):
        drawn = (
            rng.standard_normal(10)
            + of_seeds * rng.standard_normal((3, 1))
            + 0.5 * rng.standard_normal((3, 10))
        )
        low, high = crossed_interval(drawn.tolist()) or (np.nan, np.nan)
        covered.append(low <= 0 <= high)
    assert 0.93 < np.mean(covered) < 0.985


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_jackknife_of_fad_covers_what_it_says(shift: float) -> None:
    """Ten tracks of ten vectors that are alike within a track; what is covered is the mean FAD of
    such sets. At no distance the interval is too wide rather than too narrow."""
    rng = np.random.default_rng(0)
    scale = np.linspace(2, 0.3, 8)

    def tracks(count: int) -> np.ndarray:
        own = 0.5 * rng.standard_normal((count, 1, 8))
        return (own + rng.standard_normal((count, 10, 8))) * scale

    to_real = DistanceTo(*gaussian(tracks(200).reshape(-1, 8)))

    def fad(of: np.ndarray) -> float:
        return to_real(*gaussian(of.reshape(-1, 8)))

    values, intervals = [], []
    for _ in range(300):
        made = tracks(10) + shift
        values.append(fad(made))
        without = [fad(np.delete(made, i, axis=0)) for i in range(10)]
        intervals.append(jackknife_interval(values[-1], without))
    covered = np.mean([i is not None and i[0] <= np.mean(values) <= i[1] for i in intervals])
    assert 0.91 < covered <= (1.0 if shift == 0 else 0.98)


def test_swaps_of_three_tracks_by_hand() -> None:
    """Differences 1, 2 and 4: of four changes up to the sign only the one that is there, 7, is as
    great as it; with 1, 2 and -4, of 1, 3, 5 and 7 all."""
    assert swap_p_of_means([1, 2, 4], [0, 0, 0]) == 0.25
    assert swap_p_of_means([1, 2, 0], [0, 0, 4]) == 1.0


def test_all_swaps_agree_with_scipys_permutation_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(9) + 0.5, rng.standard_normal(9)
    found = stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert swap_p_of_means(a.tolist(), b.tolist()) == pytest.approx(found.pvalue)


def test_many_tracks_are_swapped_by_chance_and_alike_each_time() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(30) for _ in range(2))
    p = swap_p_of_means(a.tolist(), b.tolist())
    assert p == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.03)
    assert p == swap_p_of_means(a.tolist(), b.tolist())
    assert swap_p_of_means((a + 9).tolist(), b.tolist()) == 1 / 4097  # never 0


def test_swaps_of_sets_are_told_which_tracks_change_places() -> None:
    seen = []

    def difference(swaps: list[bool]) -> float:
        seen.append(tuple(swaps))
        return 1.0

    assert swap_p(3, difference) == 1.0
    assert len(set(seen)) == 4 and all(not swaps[-1] for swaps in seen)


def test_swaps_err_in_five_per_cent() -> None:
    rng = np.random.default_rng(0)
    p = [swap_p_of_means(*rng.standard_normal((2, 8)).tolist()) for _ in range(1000)]
    assert np.mean([value <= 0.05 for value in p]) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)
    assert np.mean([value <= 0.05 for value in p]) > 0.02


def test_holm_by_hand() -> None:
    """0.01 · 3, 0.02 · 2, and 0.03 · 1 raised to the one before."""
    assert holm({"b": 0.02, "a": 0.01, "c": 0.03}) == pytest.approx(
        {"b": 0.04, "a": 0.03, "c": 0.04}
    )
    assert holm({"x": 0.9, "y": 0.8}) == {"x": 1.0, "y": 1.0}
    assert holm({}) == {}


def test_separated_needs_the_same_tracks() -> None:
    assert separated({"a": 1}, {"b": 1}) is None
