"""Every metric on every kind of estimate that cannot be trusted: a reason, or a finite number that
is right, never a number for what could not be measured."""

import math
from typing import Any

import numpy as np
import pytest

from timbrebench.benchmarks import measure
from timbrebench.benchmarks.metrics.plugin import METRICS
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.records import Clip, Note
from timbrebench.core.registry import registry

SECONDS = 4.0
NOTES = tuple(Note(0.5 * i, 0.5 * i + 0.5, 57 + 2 * i) for i in range(8))  # of music(seed=0)
PAIRS = sorted(m.name for m in METRICS if m.kind == "pair")
# FAD∞ asks for more vectors than such clips have: it refuses them all, which its own test shows.
SETS = sorted(
    e.name
    for e in registry().of("metric")
    if e.info.kind == "set" and e.info.embedding in ("", "logmel") and "fadinf" not in e.name
)


def music(rate: int, seed: int = 0, seconds: float = SECONDS) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    hertz = 220 * 2 ** (np.floor(2 * time + seed) % 8 / 6)
    phase = 2 * np.pi * np.cumsum(hertz) / rate
    samples = sum(np.sin(h * phase) / h for h in range(1, 5))
    return (0.1 * samples + 0.001 * rng.standard_normal(len(time))).astype(np.float32)


def broken(kind: str, good: np.ndarray) -> np.ndarray:
    damaged = good.copy()
    if kind in ("nan", "inf"):
        damaged[len(good) // 2] = np.nan if kind == "nan" else np.inf
        return damaged
    return {"empty": good[:0], "one sample": good[:1], "50 ms": good[: len(good) // 80]}[kind]


UNMEASURABLE = ("nan", "inf", "empty", "one sample", "50 ms")


def asked(name: str, reference: np.ndarray, estimate: np.ndarray) -> dict[str, float]:
    """A metric's values for one pair, or for a set of four like it."""
    entry = registry().find("metric", name)
    metric, rate = measure.with_defaults(name), entry.info.rate
    if entry.info.kind == "pair":
        real = Clip(reference, rate, "reed", "t", NOTES)
        return metric.measure(real, Clip(estimate, rate, "reed", "t"))
    others = [Clip(music(rate, s), rate, n, f"{n}{s}") for n in ("reed", "bell") for s in range(4)]
    made = [Clip(estimate, rate, "reed", f"e{i}") for i in range(4)]
    return metric.measure(others, made)[0]


@pytest.mark.parametrize("name", [*PAIRS, *SETS])
@pytest.mark.parametrize("kind", UNMEASURABLE)
def test_what_cannot_be_measured_has_no_number(name: str, kind: str) -> None:
    good = music(registry().find("metric", name).info.rate)
    with pytest.raises(CannotMeasure) as told:
        asked(name, good, broken(kind, good))
    assert len(str(told.value)) > 10


@pytest.mark.parametrize("name", [*PAIRS, *SETS])
@pytest.mark.parametrize("kind", ["silence", "constant", "clipped"])
def test_what_is_only_bad_is_a_finite_number_or_a_reason(name: str, kind: str) -> None:
    good = music(registry().find("metric", name).info.rate)
    bad = {
        "silence": np.zeros_like(good),
        "constant": np.full_like(good, 0.5),
        "clipped": np.clip(100 * good, -1, 1),
    }[kind]
    try:
        values = asked(name, good, bad)
    except CannotMeasure as told:
        assert len(str(told)) > 10
    else:
        assert all(math.isfinite(v) for v in values.values() if v is not None)


def values_or_none(name: str, *sides: np.ndarray) -> Any:
    try:
        return asked(name, *sides)
    except CannotMeasure:
        return None


@pytest.mark.parametrize("name", [n for n in PAIRS if n != "faults"])  # a fault each: not of all
def test_silence_is_never_as_good_as_music(name: str) -> None:
    entry = registry().find("metric", name)
    good = music(entry.info.rate)
    itself, silence = asked(name, good, good), values_or_none(name, good, np.zeros_like(good))
    for m in entry.info.measures:
        if m.higher_is_better is None or not silence or m.name not in silence:
            continue  # a reason instead of a number
        gain = itself[m.name] - silence[m.name]
        assert (gain if m.higher_is_better else -gain) > 0, m.name
