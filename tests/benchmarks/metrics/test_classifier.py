"""Instrument accuracy, on tones that anyone can tell apart."""

import numpy as np
import pytest

from timbrebench.benchmarks.measure import with_defaults
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.records import Clip

RATE = 16000
PARTIALS = {"reed": (1, 3, 5, 7, 9), "bell": (1, 2.8, 5.4), "flute": (1,)}


def tone(instrument: str, seed: int, seconds: float = 3.0) -> Clip:
    rng = np.random.default_rng(seed)
    hertz = 220 * 2 ** rng.uniform(0, 1)
    time = np.arange(int(seconds * RATE)) / RATE
    samples = sum(np.sin(2 * np.pi * p * hertz * time) / p for p in PARTIALS[instrument])
    samples = 0.1 * samples + 0.001 * rng.standard_normal(len(time))
    return Clip(samples.astype(np.float32), RATE, instrument, f"{instrument}{seed}")


@pytest.fixture(scope="module")
def real() -> list[Clip]:
    return [tone(name, seed) for name in PARTIALS for seed in range(6)]


def test_real_tones_are_heard_as_what_they_are(real: list[Clip]) -> None:
    made = [tone(name, seed) for name in PARTIALS for seed in range(10, 14)]
    values, details = with_defaults("instrument").measure(real, made)
    assert values == {"instrument_accuracy": 1.0}
    assert details["heard_as"] == {"bell": 4, "flute": 4, "reed": 4}
    assert (details["n"], details["n_reference_files"]) == (12, 18)


def test_one_that_sounds_otherwise_is_told(real: list[Clip]) -> None:
    """Three reeds of which one is a flute: two thirds."""
    odd = tone("flute", 12)
    made = [tone("reed", 10), tone("reed", 11), Clip(odd.samples, RATE, "reed", "odd")]
    values, details = with_defaults("instrument").measure(real, made)
    assert values["instrument_accuracy"] == pytest.approx(2 / 3)
    assert details["heard_as"] == {"reed": 2, "flute": 1}


def test_what_cannot_be_asked(real: list[Clip]) -> None:
    metric = with_defaults("instrument")
    strange = Clip(real[0].samples, RATE, "tuba")
    with pytest.raises(CannotMeasure, match="no training clip plays tuba alone"):
        metric.measure(real, [strange])
    alone = [c for c in real if c.instrument == "reed"]
    with pytest.raises(CannotMeasure, match="one instrument alone"):
        metric.measure(alone, [tone("reed", 10)])
    broken = Clip(np.full(3 * RATE, np.nan, np.float32), RATE, "reed", "nan")
    with pytest.raises(CannotMeasure, match="NaN"):
        metric.measure(real, [broken])
