"""Distances between spectrograms, frame by frame, and faults of a signal.

Conventions
-----------
Log-spectral distance: per frame, the root mean square over frequency of the difference of the two
power spectra in dB; the mean over frames. Multi-resolution STFT distance: for windows of 512, 1024
and 2048 samples the spectral convergence ‖|X| - |Y|‖ / ‖|X|‖ (Frobenius norms) plus the mean
absolute difference of log magnitudes; their mean. Both bring the two sides to one loudness, cut
them to the shorter, take Hann windows at a quarter's hop, and cut magnitudes off 80 dB below the
greatest of the reference: what is below is no sound. Both need time-aligned audio and see phase in
no way.

``clipped_fraction`` is the share of the estimate's samples that lie in runs of three or more at
the greatest magnitude of the signal, if that is at least 0.99 of full scale. ``silent_fraction``
is the share of its 20 ms frames under -60 dBFS. They judge the file as it is; the ``reference_``
rows say what the reference has of each.

References
----------
Gray & Markel, "Distance measures for speech processing", IEEE TASSP 1976 (log-spectral distance);
Yamamoto et al., "Parallel WaveGAN", ICASSP 2020 (multi-resolution STFT).
"""

# Shapes: n samples; F frequencies, T frames.

import numpy as np

from timbrebench.benchmarks.metrics.pairs import cut_to_shorter, not_too_short
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import PairMetric
from timbrebench.core.loudness import at_loudness
from timbrebench.core.records import Clip

LSD_WINDOW = 2048
RESOLUTIONS = (512, 1024, 2048)
RANGE_DB = 80.0
FULL_SCALE, CLIPPED_RUN = 0.99, 3
SILENCE_DBFS, FRAME_SECONDS = -60.0, 0.02


class LogSpectralDistance(PairMetric):
    """In dB; 0 for equal spectra."""

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        ref, est = _magnitudes(*_sides(reference, estimate), LSD_WINDOW)
        differences = 20 * np.log10(ref / est)
        per_frame = np.sqrt(np.square(differences).mean(axis=0))
        return {"log_spectral_distance": float(per_frame.mean())}


class MultiResolutionStft(PairMetric):
    """Spectral convergence plus log-magnitude difference; 0 for equal spectra."""

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        sides = _sides(reference, estimate)
        values = []
        for window in RESOLUTIONS:
            ref, est = _magnitudes(*sides, window)
            convergence = np.linalg.norm(ref - est) / np.linalg.norm(ref)
            values.append(convergence + np.abs(np.log(ref / est)).mean())
        return {"multi_resolution_stft": float(np.mean(values))}


class Faults(PairMetric):
    """Clipping and silence."""

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        ref, est = not_too_short(reference, estimate)
        return {
            "clipped_fraction": clipped_fraction(est),
            "silent_fraction": silent_fraction(est, estimate.rate),
            "reference_clipped_fraction": clipped_fraction(ref),
            "reference_silent_fraction": silent_fraction(ref, reference.rate),
        }


def clipped_fraction(samples: np.ndarray) -> float:
    """The share of samples [n] in runs at the greatest magnitude, near full scale."""
    top = float(np.abs(samples).max())
    if top < FULL_SCALE:
        return 0.0
    at_top = np.concatenate([[False], np.abs(samples) >= top * (1 - 1e-4), [False]])
    edges = np.flatnonzero(np.diff(at_top.astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths >= CLIPPED_RUN].sum() / len(samples))


def silent_fraction(samples: np.ndarray, rate: int) -> float:
    """The share of frames of the samples [n] that are under SILENCE_DBFS; a rest of a frame at
    the end counts as one."""
    size = round(FRAME_SECONDS * rate)
    frames = np.pad(samples, (0, -len(samples) % size)).reshape(-1, size)
    power = np.square(frames.astype(np.float64)).mean(axis=1)
    return float((power < 10 ** (SILENCE_DBFS / 10)).mean())


def _sides(reference: Clip, estimate: Clip) -> tuple[np.ndarray, np.ndarray]:
    ref, est = cut_to_shorter(reference, estimate)
    if len(ref) < LSD_WINDOW:
        raise CannotMeasure(f"{len(ref)} samples are shorter than a window of {LSD_WINDOW}")
    for side, samples in (("reference", ref), ("estimate", est)):
        if not samples.any():
            raise CannotMeasure(f"the {side} is silent")
    return at_loudness(ref), at_loudness(est)


def _magnitudes(
    reference: np.ndarray, estimate: np.ndarray, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Samples [n] of both → magnitudes [F, T], cut off below what is sound in the reference."""
    import librosa

    ref, est = (
        np.abs(librosa.stft(samples, n_fft=window, hop_length=window // 4)).astype(np.float64)
        for samples in (reference, estimate)
    )
    floor = ref.max() * 10 ** (-RANGE_DB / 20)
    return np.maximum(ref, floor), np.maximum(est, floor)
