"""Pitch Jaccard distance: by hand, against an independent form, and on real audio."""

import os
from pathlib import Path

import numpy as np
import pytest

from timbrebench.benchmarks.metrics import pitch
from timbrebench.benchmarks.metrics.jaccard import (
    JaccardCifka8k,
    JaccardMelodia16k,
    frame_distances,
)
from timbrebench.core import audio
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.options import NoOptions
from timbrebench.core.records import Clip

_DATA = Path(os.environ.get("TIMBREBENCH_TEST_DATA", Path(__file__).parents[4] / "shared/data"))
STARNET = _DATA / "starnet-test"
needs_starnet = pytest.mark.skipif(not STARNET.is_dir(), reason="StarNet's test set is not there")

VARIANTS = {"melodia16k": (JaccardMelodia16k, 16000), "cifka8k": (JaccardCifka8k, 8000)}


def measure(variant: str, reference: np.ndarray, estimate: np.ndarray) -> dict[str, float]:
    metric, rate = VARIANTS[variant]
    return metric(NoOptions()).measure(Clip(reference, rate), Clip(estimate, rate))


def tone(midi: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    hertz = 440 * 2 ** ((midi - 69) / 12)
    overtones = [np.sin(2 * np.pi * k * hertz * time) / k for k in (1, 2, 3, 4)]
    return (0.2 * np.sum(overtones, axis=0)).astype(np.float32)


def roll(*frames: set[int]) -> np.ndarray:
    result = np.zeros((len(frames), pitch.PITCHES), bool)
    for row, pitches in zip(result, frames, strict=True):
        row[list(pitches)] = True
    return result


def test_frame_distances_by_hand() -> None:
    distances, voiced = frame_distances(
        roll({60, 64}, {60}, set(), {60}, set()), roll({60, 67}, {60}, {62}, set(), set())
    )
    assert distances.tolist() == pytest.approx([2 / 3, 0, 1, 1, 0])
    assert voiced.tolist() == [True, True, True, True, False]


def test_precision_and_recall_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the estimate's four pitches are right, and two of the reference's three are found."""
    reference, estimate = roll({60, 64}, {60}, set()), roll({60}, {60, 62}, {70})
    rolls = iter([reference, estimate, reference, roll(set(), set(), set())])
    monkeypatch.setattr(pitch, "melodia16k", lambda samples: next(rolls))
    signal = tone(69, 16000)
    values = measure("melodia16k", signal, signal)
    assert values["jaccard_melodia16k_precision"] == pytest.approx(2 / 4)
    assert values["jaccard_melodia16k_recall"] == pytest.approx(2 / 3)
    silent = measure("melodia16k", signal, signal)
    assert silent["jaccard_melodia16k_recall"] == 0
    assert "jaccard_melodia16k_precision" not in silent  # nothing was played, right or wrong


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_tone_is_its_pitch_and_a_semitone_off_is_another(variant: str) -> None:
    rate = VARIANTS[variant][1]
    a, b = tone(69, rate), tone(70, rate)
    found = getattr(pitch, variant)(a)
    middle = found[len(found) // 4 : -len(found) // 4]
    assert middle[:, 69].mean() > 0.95
    assert measure(variant, a, a)[f"jaccard_{variant}"] == 0
    assert measure(variant, a, b)[f"jaccard_{variant}_voiced"] > 0.95


@pytest.mark.parametrize("constant", [0.0, 0.25])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_constant_is_unvoiced(variant: str, constant: float) -> None:
    rate = VARIANTS[variant][1]
    flat, name = np.full(rate, constant, np.float32), f"jaccard_{variant}"
    both_flat = measure(variant, flat, flat)
    assert both_flat[name] == 0 and f"{name}_voiced" not in both_flat
    lost = measure(variant, tone(69, rate), flat)
    assert lost[f"{name}_voiced"] == 1 and 0.8 < lost[name] <= 1


def test_melodia_ignores_offset_and_gain() -> None:
    a = tone(62, 16000)
    assert measure("melodia16k", a, 0.1 * a + 0.3)["jaccard_melodia16k"] < 0.02


def test_voiced_fraction_is_the_references() -> None:
    half = np.concatenate([tone(69, 16000), np.zeros(16000, np.float32)])
    values = measure("melodia16k", half, np.zeros_like(half))
    assert values["voiced_fraction"] == pytest.approx(0.5, abs=0.06)
    assert values["jaccard_melodia16k"] == values["voiced_fraction"]  # all that was there is lost


def test_melodia_cuts_to_the_shorter_and_tells() -> None:
    a = tone(69, 16000, 2)
    longer = np.concatenate([a, tone(50, 16000, 1)])
    values = measure("melodia16k", a, longer)
    assert values["jaccard_melodia16k"] == 0 and values["jaccard_melodia16k_cut"] == 1
    assert measure("melodia16k", a, a[: int(0.96 * len(a))])["jaccard_melodia16k_cut"] > 0
    with pytest.raises(CannotMeasure, match=r"1\.80 s, under 95% of the reference's 2\.00 s"):
        measure("melodia16k", a, a[: int(0.9 * len(a))])


def test_cifka_pads_or_cuts_the_estimate() -> None:
    a = tone(69, 8000, 2)
    assert measure("cifka8k", a, np.concatenate([a, tone(50, 8000)]))["jaccard_cifka8k"] == 0
    assert measure("cifka8k", a, a[:8000])["jaccard_cifka8k"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("broken", "reason"),
    [(np.full(9000, np.nan), "NaN"), (np.zeros(0), "empty"), (np.zeros(2047), "frame of 2048")],
)
def test_what_cannot_be_measured(variant: str, broken: np.ndarray, reason: str) -> None:
    broken = broken.astype(np.float32)
    with pytest.raises(CannotMeasure, match=reason):
        measure(variant, broken, broken)


@needs_starnet
def test_cifka_equals_an_independent_form() -> None:
    """With plain sets, as the definition reads."""
    import essentia.standard as es
    import librosa

    def pitch_sets(samples: np.ndarray) -> list[set[int]]:
        noise = pitch.generator("jaccard_cifka8k").normal(0, 1e-4, len(samples))
        heard = es.EqualLoudness(sampleRate=8000)(samples) + noise
        frames = es.MultiPitchMelodia(sampleRate=8000)(heard.astype(np.float32))
        return [{int(librosa.hz_to_midi(p) + 0.5) for p in f if p > 0} for f in frames]

    ref, est = (audio.load(STARNET / f"003.{stem}.wav", 8000) for stem in (4, 1))
    frames = zip(pitch_sets(ref), pitch_sets(est), strict=True)
    expected = np.mean([1 - len(a & b) / len(a | b) if a | b else 0 for a, b in frames])
    assert measure("cifka8k", ref, est)["jaccard_cifka8k"] == pytest.approx(expected, abs=2e-3)


@needs_starnet
def test_copying_on_starnet_has_the_known_distances() -> None:
    """Measured once with the published definition: single 0.344, mixture 0.491."""
    known = {(1, 4): 0.248, (2, 5): 0.440, (0, 3): 0.491}
    found = {}
    for source, target in known:
        values = [
            measure("melodia16k", *(audio.load(STARNET / f"{i:03}.{s}.wav", 16000) for s in pair))
            for i in range(1, 11)
            for pair in [(target, source)]
        ]
        found[source, target] = np.mean([v["jaccard_melodia16k"] for v in values])
    assert found == pytest.approx(known, abs=0.002)
    assert (found[1, 4] + found[2, 5]) / 2 == pytest.approx(0.344, abs=0.002)
