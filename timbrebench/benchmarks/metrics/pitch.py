"""Which pitches sound when: Essentia's multi-pitch Melodia as a piano roll.

References: Salamon & Gómez, "Melody extraction from polyphonic music signals using pitch contour
characteristics", IEEE TASLP 2012 (Essentia's MultiPitchMelodia). The two preparations of the
audio: Comanducci et al., "Timbre transfer using image-to-image denoising diffusion implicit
models", ISMIR 2023 (``melodia16k``); Cífka et al., "Self-supervised VQ-VAE for one-shot music
style transfer", ICASSP 2021 (``cifka8k``).
"""

# Shapes: n samples; T frames of FRAME samples, one every HOP; P = 128 MIDI pitches.

import numpy as np

from timbrebench.core.memo import by_content
from timbrebench.core.seeds import generator

FRAME, HOP = 2048, 128  # samples: MultiPitchMelodia's defaults, at any rate
PITCHES = 128
NOISE = 1e-4  # standard deviation of what keeps Melodia from digital silence (cifka8k)
_REMEMBERED = 32  # piano rolls


@by_content(_REMEMBERED)
def melodia16k(samples: np.ndarray) -> np.ndarray:
    """Piano roll [T, P] bool of audio at 16 kHz, which is stretched to [-1, 1] first."""
    return _piano_roll(_stretch(samples), 16000)


@by_content(_REMEMBERED)
def cifka8k(samples: np.ndarray) -> np.ndarray:
    """Piano roll [T, P] bool of audio at 8 kHz, after an equal-loudness filter and noise.

    The noise is the same for all audio, so that two silences have the same (spurious) pitches.
    """
    if _is_constant(samples):
        return _piano_roll(np.zeros_like(samples), 8000)
    filtered = _essentia().EqualLoudness(sampleRate=8000)(samples)
    noise = NOISE * generator("jaccard_cifka8k").standard_normal(len(samples))
    return _piano_roll((filtered + noise).astype(np.float32), 8000)


def _stretch(samples: np.ndarray) -> np.ndarray:
    """Minimum to -1, maximum to 1; a constant, which has no range, becomes silence."""
    if _is_constant(samples):
        return np.zeros_like(samples)
    low, high = float(samples.min()), float(samples.max())
    return (2 * (samples - low) / (high - low) - 1).astype(np.float32)


def _is_constant(samples: np.ndarray) -> bool:
    return bool(samples.min() == samples.max())


def _piano_roll(samples: np.ndarray, rate: int) -> np.ndarray:
    frames = _essentia().MultiPitchMelodia(sampleRate=rate)(samples)  # T arrays of Hz; 0: unvoiced
    roll = np.zeros((len(frames), PITCHES), bool)
    for sounding, hertz in zip(roll, frames, strict=True):
        hertz = np.asarray(hertz, np.float64)
        midi = 69 + 12 * np.log2(hertz[hertz > 0] / 440)
        sounding[(midi + 0.5).astype(int)] = True
    return roll


def _essentia():
    """essentia.standard, with a log that stays silent: its errors are exceptions too."""
    import essentia

    essentia.log.infoActive = essentia.log.warningActive = essentia.log.errorActive = False
    import essentia.standard

    return essentia.standard
