"""What happens to a recording after it was played: room, end, level."""

import numpy as np
from scipy import signal

RMS_DB = -23.0  # of a stem, against full scale
PEAK = 0.45  # of a stem at most, so that a sum of two never clips
_FADE = 0.05  # seconds at the end
_ROOM = 0.9  # seconds, the longest room's response
_EARLY = 12  # reflections
_DECAYED_DB = -60.0  # what a room has decayed to at its reverberation time


def room(rng: np.random.Generator, rate: int) -> np.ndarray:
    """A made-up room's response without its direct sound, [n] float64 of unit energy.

    A few early reflections, then noise that decays by 60 dB in the reverberation time and
    loses its treble as absorbed sound does.
    """
    reverberation = rng.uniform(0.3, _ROOM)
    time = np.arange(round(_ROOM * rate)) / rate
    late = rng.standard_normal(len(time)) * 10 ** (_DECAYED_DB / 20 * time / reverberation)
    late[: round(0.02 * rate)] = 0
    response = signal.lfilter([0.4], [1, -0.6], late)
    at = rng.integers(round(0.004 * rate), round(0.05 * rate), size=_EARLY)
    response[at] += rng.choice([-1, 1], size=_EARLY) * rng.uniform(0.3, 1.0, size=_EARLY)
    return response / np.sqrt(np.sum(response**2))


def in_room(wave: np.ndarray, response: np.ndarray, wet: float) -> np.ndarray:
    """The wave, mixed with its reverberation by share of energy, as long as before."""
    reverberated = signal.fftconvolve(wave, response)[: len(wave)]
    return np.sqrt(1 - wet) * wave + np.sqrt(wet) * reverberated


def finished(wave: np.ndarray, rate: int, quieter_db: float = 0.0) -> np.ndarray:
    """Faded out at the end, brought to the common level, as 16-bit integers."""
    fade = round(_FADE * rate)
    wave = wave.astype(np.float64)
    wave[-fade:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / fade)
    rms, peak = np.sqrt(np.mean(wave**2)), np.max(np.abs(wave))
    if peak > 0:
        wave *= min(10 ** (RMS_DB / 20) / rms, PEAK / peak) * 10 ** (-quieter_db / 20)
    return np.round(wave * 32767).astype(np.int16)
