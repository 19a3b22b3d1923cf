"""Distances of signals, of cepstra and of aligned notes: closed forms and cases by hand."""

import math

import numpy as np
import pytest
from scipy.fft import dct

from timbrebench.benchmarks.metrics.alignment import PitchDtw, aligned_distance, jaccard_matrix
from timbrebench.benchmarks.metrics.cepstral import MfccDistance, description
from timbrebench.benchmarks.metrics.plugin import METRICS
from timbrebench.benchmarks.metrics.signal import (
    Faults,
    LogSpectralDistance,
    MultiResolutionStft,
    clipped_fraction,
    silent_fraction,
)
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.options import NoOptions
from timbrebench.core.records import Clip
from timbrebench.testing import check_metric

RATE = 16000
NOISE = (0.1 * np.random.default_rng(0).standard_normal(4 * RATE)).astype(np.float32)
NEW = ("pitch_dtw", "mfcc_distance", "log_spectral_distance", "multi_resolution_stft", "faults")


def clip(samples: np.ndarray) -> Clip:
    return Clip(np.asarray(samples, np.float32), RATE)


def tones(*hertz: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return np.concatenate(
        [sum(0.2 / h * np.sin(2 * np.pi * f * h * time) for h in range(1, 8)) for f in hertz]
    )


@pytest.mark.parametrize("info", [m for m in METRICS if m.name in NEW], ids=lambda m: m.name)
def test_it_keeps_the_contract_of_metrics(info) -> None:
    check_metric(info)


def test_a_step_in_level_by_hand() -> None:
    """Half a clip 6 dB louder than the other: at one loudness by g = 1/√2.5 and by 2g."""
    step = NOISE * np.repeat([1, 2], 2 * RATE)
    gains = [1 / math.sqrt(2.5), 2 / math.sqrt(2.5)]
    lsd = LogSpectralDistance(NoOptions()).measure(clip(NOISE), clip(step))
    expected = np.mean([abs(20 * math.log10(g)) for g in gains])
    assert lsd["log_spectral_distance"] == pytest.approx(expected, rel=0.02)
    stft = MultiResolutionStft(NoOptions()).measure(clip(NOISE), clip(step))
    convergence = math.sqrt(np.mean([(1 - g) ** 2 for g in gains]))
    expected = convergence + np.mean([abs(math.log(g)) for g in gains])
    assert stft["multi_resolution_stft"] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("metric", [LogSpectralDistance, MultiResolutionStft, MfccDistance])
def test_a_gain_is_no_distance(metric) -> None:
    (value,) = metric(NoOptions()).measure(clip(NOISE), clip(0.3 * NOISE)).values()
    assert value == pytest.approx(0, abs=1e-3)


def test_what_lies_80_db_below_does_not_count() -> None:
    tone = tones(440, seconds=2)
    faint = tone + 1e-6 * np.random.default_rng(0).standard_normal(len(tone))
    value = LogSpectralDistance(NoOptions()).measure(clip(tone), clip(faint))
    assert value["log_spectral_distance"] < 0.2


def test_clipping_and_silence_by_hand() -> None:
    samples = np.array([0, 1, 1, 1, 0.5, -1, -1, 0.2, 1, 0], np.float32)
    assert clipped_fraction(samples) == 0.3  # the run of two and the single one are no clipping
    assert clipped_fraction(0.5 * samples) == 0
    half = np.concatenate([np.zeros(RATE), NOISE[:RATE]]).astype(np.float32)
    assert silent_fraction(half, RATE) == 0.5
    values = Faults(NoOptions()).measure(clip(half), clip(np.clip(20 * NOISE, -1, 1)))
    assert values["reference_silent_fraction"] == 0.5 and values["silent_fraction"] == 0
    assert values["clipped_fraction"] > 0.3 and values["reference_clipped_fraction"] == 0


def test_mfccs_are_the_cosine_transform_of_a_mel_in_db() -> None:
    import librosa

    mel = librosa.feature.melspectrogram(y=NOISE / np.abs(NOISE).max(), sr=RATE, n_fft=2048)
    coefficients = dct(librosa.power_to_db(mel), axis=0, type=2, norm="ortho")[1:13]
    expected = np.concatenate([coefficients.mean(axis=1), coefficients.std(axis=1)])
    np.testing.assert_allclose(description(NOISE, RATE), expected, rtol=1e-4, atol=1e-4)


def test_mfcc_distance_hears_timbre_and_not_the_order_of_notes() -> None:
    melody, other = tones(262, 330, 392, 523), tones(523, 330, 262, 392)
    dull = np.convolve(melody, np.ones(8) / 8, "same")
    metric = MfccDistance(NoOptions())
    (order,) = metric.measure(clip(melody), clip(other)).values()
    (timbre,) = metric.measure(clip(melody), clip(dull)).values()
    assert order < 0.2 * timbre


def test_notes_out_of_time_are_aligned() -> None:
    """A A B C against A B C C: the diagonal errs in two of four frames, the path in none."""
    rolls = np.zeros((2, 4, 128), bool)
    for roll, notes in zip(rolls, ((60, 60, 62, 64), (60, 62, 64, 64)), strict=True):
        roll[range(4), notes] = True
    assert aligned_distance(*rolls) == 0
    wrong = rolls[1].copy()
    wrong[1] = False
    wrong[1, 70] = True  # one note is another
    assert aligned_distance(rolls[0], wrong) == pytest.approx(1 / 5)  # one step of five


def test_frames_are_apart_as_their_sets_are() -> None:
    a, b = np.zeros((2, 128), bool), np.zeros((3, 128), bool)
    a[0, [60, 64]] = b[0, [60, 67]] = b[1, 60] = True
    np.testing.assert_allclose(jaccard_matrix(a, b), [[2 / 3, 0.5, 1], [1, 1, 0]])


def test_a_late_melody_is_nearer_aligned_than_frame_by_frame() -> None:
    from timbrebench.benchmarks.metrics.jaccard import JaccardMelodia16k

    melody = tones(262, 330, 392, 523, seconds=0.5)
    late = np.concatenate([np.zeros(int(0.1 * RATE)), melody])[: len(melody)]
    (aligned,) = PitchDtw(NoOptions()).measure(clip(melody), clip(late)).values()
    plain = JaccardMelodia16k(NoOptions()).measure(clip(melody), clip(late))
    assert aligned < 0.6 * plain["jaccard_melodia16k"]


@pytest.mark.parametrize("metric", [LogSpectralDistance, MultiResolutionStft, MfccDistance])
@pytest.mark.parametrize("bad", [np.zeros(4 * RATE), NOISE[:100], NOISE * np.nan])
def test_hostile_input_is_refused(metric, bad: np.ndarray) -> None:
    with pytest.raises(CannotMeasure):
        metric(NoOptions()).measure(clip(NOISE), clip(bad))
