"""A view of what is played that tells little of who plays it.

A log-mel is explained as a sum of notes by non-negative matrix factorisation with fixed
spectra, several timbres a pitch, so that no single instrument is favoured. What is kept is only
which pitch sounds when and how strongly; it is drawn again as harmonics of one neutral timbre.
"""

# Shapes: M mel bands, T frames, P pitches, K kinds of spectra.

from functools import lru_cache

import numpy as np

from timbrebench.core import mel

LOWEST, HIGHEST = 33, 101  # MIDI pitches: 55 Hz to 2.8 kHz
# Partials of a harmonic tone, of a closed pipe (odd ones only), and of a tuned bar.
SPECTRA = (tuple(range(1, 17)), tuple(range(1, 17, 2)), (1, 4, 10))
ITERATIONS = 30
RANGE_DB = 40.0  # of the activations that count as sounding, below the strongest of the clip
NEUTRAL_LOSS_DB = 3.0  # per octave of the drawn harmonics


def activations(log_mel: np.ndarray, spec: mel.MelSpec) -> np.ndarray:
    """Log-mel [M, T] → how strongly each pitch sounds, [P, T] in 0..1 (0: 40 dB below the
    strongest).

    Lee & Seung's multiplicative updates for the Kullback-Leibler divergence, spectra fixed.
    """
    spectra = _spectra(spec)  # [M, K·P]
    observed = _amplitude(log_mel, spec)
    weights = spectra.sum(axis=0)[:, None]
    found = spectra.T @ observed + 1e-6  # [K·P, T]
    for _ in range(ITERATIONS):
        found *= spectra.T @ (observed / (spectra @ found + 1e-6)) / weights
    strength = found.reshape(len(SPECTRA), -1, found.shape[1]).sum(axis=0)  # [P, T]
    level_db = 20 * np.log10(strength / max(float(strength.max()), 1e-3) + 1e-9)
    return np.clip(1 + level_db / RANGE_DB, 0, 1).astype(np.float32)


def image(activation: np.ndarray, spec: mel.MelSpec) -> np.ndarray:
    """Activations [P, T] as harmonics on the mel axis, [M, T], about 0..1."""
    return (_neutral(spec) @ activation).astype(np.float32)


def perturbed(activation: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Under a random equalisation and threshold: what instrument it was should not show.

    The gains lie within ±8 dB, smooth over pitch; the threshold rises by up to 16 dB.
    """
    knots = rng.uniform(-0.2, 0.2, size=5)
    gain = np.interp(np.linspace(0, 4, len(activation)), np.arange(5), knots)[:, None]
    threshold = rng.uniform(0, 0.4)
    louder = np.where(activation > 0, activation + gain, 0)
    return np.clip((louder - threshold) / (1 - threshold), 0, 1)


def _amplitude(log_mel: np.ndarray, spec: mel.MelSpec) -> np.ndarray:
    """Log-mel → magnitude above the floor, relative to its maximum; silence is 0."""
    per_unit = 1 / spec.power if spec.scale == "ln" else np.log(10) / 20
    magnitude = np.exp(per_unit * log_mel) - np.exp(per_unit * mel.silence(spec))
    return magnitude / max(float(magnitude.max()), 1e-6)


@lru_cache
def _spectra(spec: mel.MelSpec) -> np.ndarray:
    """[M, K·P]: the mel spectra of every pitch, partials falling by 6 dB an octave, unit norm."""
    kinds = [[_tone(pitch, kind, 6.0, spec) for pitch in _pitches()] for kind in SPECTRA]
    spectra = np.concatenate(kinds).T
    return spectra / np.linalg.norm(spectra, axis=0)


@lru_cache
def _neutral(spec: mel.MelSpec) -> np.ndarray:
    """[M, P]: every pitch as a harmonic tone, peak 1."""
    tones = [_tone(pitch, SPECTRA[0], NEUTRAL_LOSS_DB, spec) for pitch in _pitches()]
    spectra = np.array(tones).T
    return spectra / spectra.max(axis=0)


def _pitches() -> range:
    return range(LOWEST, HIGHEST + 1)


def _tone(pitch: int, partials: tuple[int, ...], loss_db: float, spec: mel.MelSpec) -> np.ndarray:
    """Mel magnitude [M] of a steady tone; its partials fall by ``loss_db`` an octave."""
    f0_hz = 440 * 2 ** ((pitch - 69) / 12)
    numbers = np.array([p for p in partials if p * f0_hz < 0.95 * spec.rate / 2])
    gain = 10 ** (-loss_db * np.log2(numbers) / 20)
    time = np.arange(4 * spec.n_fft) / spec.rate  # seconds
    phase = 2.4 * numbers**2  # spread, so that the sum has no sharp peaks
    wave = gain @ np.sin(2 * np.pi * f0_hz * np.outer(numbers, time) + phase[:, None])
    frames = mel.log_mel(wave.astype(np.float32), spec).numpy()
    return _amplitude(frames[:, frames.shape[1] // 2], spec)
