"""Concert pitch: how far a zone sounds from the key it is played at.

SoundFonts are not all in tune (the flute of TimGM6mb.sf2 is 16 cents sharp in its low register).
A zone's tone is measured once; where it is further off than players are, it is corrected.
"""

import numpy as np

TOLERANCE = 5.0  # cents: an ensemble's own spread stays as it is
_REACH = 50.0  # cents: beyond that, it is a mistake of another kind
_HARMONICS = 8
_BINS = 1 << 18


def detune_cents(wave: np.ndarray, rate: int, hz: float) -> float:
    """How far the wave's harmonics lie above those of ``hz``; 0 where within tolerance.

    The comb of eight harmonics that gathers the most of the amplitude spectrum, of all combs
    within 50 cents: a partial alone may be missing or be another string's.
    """
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), _BINS))
    cents = np.arange(-_REACH, _REACH + 0.5)
    orders = np.arange(1, _HARMONICS + 1)
    orders = orders[orders * hz * 1.03 < rate / 2]
    at = orders[:, None] * hz * 2 ** (cents / 1200) * _BINS / rate  # [harmonics, cents]
    off = float(cents[np.argmax(spectrum[np.round(at).astype(int)].sum(axis=0))])
    return off if TOLERANCE < abs(off) < _REACH else 0.0
