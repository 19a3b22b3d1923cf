"""Level error and mel distance: closed forms."""

import math

import numpy as np
import pytest

from timbrebench.benchmarks.metrics.level import LevelError
from timbrebench.benchmarks.metrics.mel_l1 import MelL1
from timbrebench.core.audio import rms_db
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.loudness import LOUDNESS_DB, at_loudness
from timbrebench.core.options import NoOptions
from timbrebench.core.records import Clip

NOISE = 0.1 * np.random.default_rng(0).standard_normal(32000).astype(np.float32)


def clip(samples: np.ndarray) -> Clip:
    return Clip(samples, 16000)


def test_level_error_is_the_gain() -> None:
    metric = LevelError(NoOptions())
    assert metric.measure(clip(NOISE), clip(0.5 * NOISE)) == pytest.approx(
        {"level_error_db": -6.0206}, abs=1e-4
    )
    for pair in ((NOISE, 0 * NOISE), (0 * NOISE, NOISE)):
        with pytest.raises(CannotMeasure, match="silent"):
            metric.measure(*map(clip, pair))


def test_loudness_is_one_for_all_but_silence() -> None:
    assert rms_db(at_loudness(3 * NOISE)) == pytest.approx(LOUDNESS_DB, abs=1e-4)
    assert not at_loudness(0 * NOISE).any()


def test_mel_distance_ignores_gain_and_measures_a_step_in_level() -> None:
    def distance(reference: np.ndarray, estimate: np.ndarray) -> float:
        return MelL1(NoOptions()).measure(clip(reference), clip(estimate))["mel_l1"]

    assert distance(NOISE, 0.5 * NOISE) < 1e-4
    step = NOISE * np.repeat([1, 2], 16000)
    quiet = 1 / math.sqrt((1 + 4) / 2)  # gain of the first half at the same RMS
    expected = (abs(math.log(quiet)) + abs(math.log(2 * quiet))) / 2
    assert distance(NOISE, step.astype(np.float32)) == pytest.approx(expected, rel=0.02)
    with pytest.raises(CannotMeasure, match="under 95%"):
        distance(NOISE, NOISE[:16000])
