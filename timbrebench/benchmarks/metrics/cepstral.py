"""MFCC distance: timbre without the notes' order.

Conventions
-----------
13 mel-frequency cepstral coefficients (librosa: 2048/512 samples, 128 Slaney mels, orthonormal
DCT of dB) of every frame that is not 40 dB below the loudest; the zeroth, which is level, is left
out. Reference and estimate are each described by the mean and the standard deviation of the other
twelve over time, and are as far apart as the Euclidean distance of the two descriptions (24
numbers). It needs no alignment: another melody of the same instrument is near. It sees pitch a
little, since a low note fills more bands.

References
----------
Logan, "Mel frequency cepstral coefficients for music modeling", ISMIR 2000; mean and spread over
frames as a description of timbre: Tzanetakis & Cook, IEEE TSAP 2002.
"""

import numpy as np

from timbrebench.benchmarks.metrics.pairs import samples_of
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import PairMetric
from timbrebench.core.records import Clip

COEFFICIENTS = 13  # the zeroth among them
WINDOW, HOP = 2048, 512  # samples
QUIET_DB = -40.0  # RMS of a frame that is left out, relative to the loudest


class MfccDistance(PairMetric):
    """Euclidean distance of mean and deviation of MFCCs."""

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        sides = samples_of(reference, estimate)
        ref, est = (
            description(samples, reference.rate, side)
            for side, samples in zip(("reference", "estimate"), sides, strict=True)
        )
        return {"mfcc_distance": float(np.linalg.norm(ref - est))}


def description(samples: np.ndarray, rate: int, side: str = "clip") -> np.ndarray:
    """Samples [n] → mean and deviation of twelve coefficients [24]."""
    import librosa

    if len(samples) < WINDOW:
        raise CannotMeasure(f"the {side} is shorter than a frame of {WINDOW} samples")
    level = librosa.feature.rms(y=samples, frame_length=WINDOW, hop_length=HOP)[0]
    if not level.max() > 0:
        raise CannotMeasure(f"the {side} is silent")
    mfcc = librosa.feature.mfcc(
        y=samples / np.abs(samples).max(),
        sr=rate,
        n_mfcc=COEFFICIENTS,
        n_fft=WINDOW,
        hop_length=HOP,
    )[1:]
    sounding = mfcc[:, level > level.max() * 10 ** (QUIET_DB / 20)]
    return np.concatenate([sounding.mean(axis=1), sounding.std(axis=1)])
