"""Fréchet distance: closed forms, and frechet_audio_distance's own function."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from timbrebench.benchmarks.metrics.frechet import (
    DistanceTo,
    FrechetAudioDistance,
    TrackDistance,
    frechet_distance,
    gaussian,
)
from timbrebench.benchmarks.metrics.logmel import LogMel
from timbrebench.benchmarks.metrics.plugin import EMBEDDINGS
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.options import NoOptions
from timbrebench.core.records import Clip

RNG = np.random.default_rng(0)
RATE = 16000


def vectors(count: int, dimension: int, scale: float = 1.0) -> np.ndarray:
    mix = RNG.standard_normal((dimension, dimension)) / np.sqrt(dimension)
    return scale * RNG.standard_normal((count, dimension)) @ mix + RNG.standard_normal(dimension)


def test_gaussian_is_mean_and_unbiased_covariance() -> None:
    mean, cov = gaussian(np.array([[0.0, 1.0], [2.0, 5.0]]))
    assert mean.tolist() == [1, 3]
    assert cov.tolist() == [[2, 4], [4, 8]]


def test_closed_form_of_commuting_gaussians() -> None:
    """With diagonal covariances it is ‖Δμ‖² + Σ (σ1 - σ2)²."""
    deviations1, deviations2 = np.array([1.0, 2.0, 0.0]), np.array([3.0, 2.0, 0.5])
    found = frechet_distance(
        np.zeros(3), np.diag(deviations1**2), np.array([1.0, 0.0, 2.0]), np.diag(deviations2**2)
    )
    assert found == pytest.approx(5 + 4 + 0 + 0.25)


@pytest.mark.parametrize("count", [40, 5000])
def test_a_set_is_at_no_distance_from_itself(count: int) -> None:
    same = gaussian(vectors(count, 64))
    assert 0 <= frechet_distance(*same, *same) < 1e-6


@pytest.mark.parametrize(
    ("counts", "dimension"), [((900, 700), 64), ((40, 50), 64), ((9, 900), 64)]
)
def test_equals_the_packages_own_function(counts: tuple[int, int], dimension: int) -> None:
    """Well-conditioned, both singular, one singular."""
    from frechet_audio_distance import FrechetAudioDistance as Theirs

    one, two = vectors(counts[0], dimension), vectors(counts[1], dimension, scale=1.5)
    unbound: Callable[..., Any] = Theirs.calculate_frechet_distance
    expected = unbound(None, *gaussian(one), *gaussian(two))
    found = frechet_distance(*gaussian(one), *gaussian(two))
    assert found == pytest.approx(float(np.real(expected)), rel=1e-4)


@pytest.mark.parametrize("counts", [(900, 700), (900, 12), (40, 50), (40, 900), (2, 2)])
def test_from_vectors_as_from_their_gaussian(counts: tuple[int, int]) -> None:
    """Fewer vectors than dimensions take another way."""
    one, two = vectors(counts[0], 64), vectors(counts[1], 64, scale=1.5)
    to_one = DistanceTo(*gaussian(one))
    assert to_one.of_vectors(two) == pytest.approx(to_one(*gaussian(two)), rel=1e-6)
    assert 0 <= to_one.of_vectors(one) < 1e-5


def test_of_each_track_alone() -> None:
    """Two tracks whose own distances are known; one of a single window is left out."""
    metric, clips = fad(), noises(3, seconds=6.0)
    real, made = metric.embed("references", noises(6)), metric.embed("estimates", clips)
    made.add("short", made.by_clip[0][:1], 1.0)
    own = TrackDistance(NoOptions(), metric.embedding)
    values, details = own.compare(real, made)
    expected = [frechet_distance(*gaussian(real.vectors), *gaussian(v)) for v in made.by_clip[:3]]
    assert list(details["by_track"].values()) == pytest.approx(expected, rel=1e-6)
    assert values == {"track_fad_logmel": pytest.approx(np.mean(expected))}
    assert "1 vector" in details["skipped"]["estimates/short"] and details["grey"]


def fad() -> FrechetAudioDistance:
    embedding = LogMel(NoOptions())
    embedding.info = next(e for e in EMBEDDINGS if e.name == "logmel")
    return FrechetAudioDistance(NoOptions(), embedding)


def noises(count: int, *, tilt: float = 0.0, seconds: float = 4.0) -> list[Clip]:
    clips = []
    for index in range(count):
        white = RNG.standard_normal(int(seconds * RATE))
        samples = 0.1 * (white - tilt * np.roll(white, 1))
        clips.append(Clip(samples.astype(np.float32), RATE, track=f"t{index}"))
    return clips


def test_fad_sees_colour_and_not_level() -> None:
    real = noises(4)
    quiet = [Clip(0.25 * c.samples, RATE) for c in real]
    same, details = fad().measure(real, quiet)
    other, _ = fad().measure(real, noises(4, tilt=0.9))
    assert same["fad_logmel"] < 1e-4 < 1 < other["fad_logmel"]
    assert (details["n"], details["n_reference"], details["n_files"]) == (16, 16, 4)
    assert details["seconds"] == 16 and details["embedding"] == "logmel"
    assert details["grey"] and "-23 dBFS" in details["loudness"]


def test_grey_ends_at_two_vectors_a_dimension() -> None:
    _, details = fad().measure(noises(1, seconds=250), noises(1, seconds=250))
    assert details["n"] == 260 and not details["grey"]


def test_clips_too_short_are_skipped_and_named() -> None:
    short = Clip(np.ones(8000, np.float32), RATE, track="short")
    _, details = fad().measure(noises(2), [*noises(2), short])
    assert list(details["skipped"]) == ["estimates/short"] and details["n_files"] == 2
    for estimates in ([], [short], noises(1, seconds=1)):
        with pytest.raises(CannotMeasure, match="at least 2 are needed"):
            fad().measure(noises(2), estimates)


def test_an_interval_over_clips_is_given_with_what_it_comes_from() -> None:
    real, made = noises(5), noises(4, tilt=0.3)
    values, details = fad().measure(real, made)
    low, high = details["interval"]
    assert 0 <= low < values["fad_logmel"] < high
    assert details["without"].keys() == {"t0", "t1", "t2", "t3"}
    fewer, _ = fad().measure(real, made[1:])
    assert details["without"]["t0"] == pytest.approx(fewer["fad_logmel"])
    _, details = fad().measure(real, made[:2])
    assert "interval" not in details  # two clips tell nothing of a third


def test_of_many_clips_groups_are_left_out() -> None:
    _, details = fad().measure(noises(3), noises(25, seconds=1.0))
    assert len(details["interval"]) == 2 and "without" not in details
