"""Audio shifted in pitch and level, as copies of training tracks are (core.augment)."""

import numpy as np

from timbrebench.core import audio


def altered(samples: np.ndarray, rate: int, shift: int, gain_db: float) -> np.ndarray:
    """Samples [n] ``shift`` semitones higher, of the same length, and ``gain_db`` louder.

    The level is changed before there is a log-mel, so that silence stays at its floor.
    """
    if shift:
        import librosa

        level = audio.rms(samples)  # a phase vocoder loses up to a decibel of it
        samples = librosa.effects.pitch_shift(samples, sr=rate, n_steps=shift)
        samples = audio.match_rms(samples, level)
    return (samples * np.float32(10 ** (gain_db / 20))).astype(np.float32)
