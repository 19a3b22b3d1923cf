"""The band of frequencies that an instrument has, and sound kept within it."""

# Shapes: n samples.

import math
from dataclasses import dataclass

import numpy as np

from timbrebench.benchmarks.playing import Player
from timbrebench.core.errors import BenchError
from timbrebench.core.records import Corpus

SHARE = 0.99  # of the energy of an instrument's training tracks that lies in its band
TRACKS, TRACK_SECONDS = 16, 30.0  # that the band is measured on, at most
ORDER = 4  # of the Butterworth filter, which runs forth and back
RINGS = 8  # periods of its lower edge after which nothing of it is left


@dataclass(frozen=True)
class Band:
    """What a stem keeps, in Hz."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise BenchError(
                f"a band from {self.low:g} to {self.high:g} Hz holds nothing.",
                hint="Give --low and --high so that 0 < low < high.",
            )


def known_band(player: Player, instrument: str) -> tuple[Band | None, str]:
    """(the band of an instrument in the corpus of a cell, '') or (None, why it cannot be had)."""
    try:
        found = band_of(player.session.corpus, instrument)
    except BenchError as error:
        return None, error.what
    lacking = player.without_corpus or "there are none, or they are silent"
    return found, "" if found else lacking


def band_of(corpus: Corpus, instrument: str) -> Band | None:
    """The band with ``SHARE`` of the energy of the instrument's training tracks, as much left out
    below as above; None where there are no such tracks."""
    from scipy.signal import welch

    tracks = corpus.tracks_of("train", instrument)[:TRACKS]
    clips = [corpus.load(t.id, instrument, corpus.rate, TRACK_SECONDS) for t in tracks]
    if not clips:
        return None
    size = 4096
    spectra = []
    for clip in clips:
        padded = np.pad(clip.samples, (0, max(size - len(clip.samples), 0)))
        hertz, power = welch(padded, corpus.rate, nperseg=size)
        spectra.append(power * len(clip.samples))
    below = np.cumsum(np.sum(spectra, axis=0))
    if below[-1] <= 0:
        return None
    low, high = np.searchsorted(below / below[-1], [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return Band(float(max(hertz[low], hertz[1])), float(hertz[high] + hertz[1]))


def band_pass(samples: np.ndarray, rate: int, band: Band) -> np.ndarray:
    """[n] → [n], without delay: the filter runs forth and back, so that its 3 dB become 6."""
    from scipy.signal import butter, sosfiltfilt

    top = rate / 2
    if band.low >= top:
        return np.zeros_like(samples)
    if band.high < top:
        sections = butter(ORDER, (band.low, band.high), "bandpass", fs=rate, output="sos")
    else:
        sections = butter(ORDER, band.low, "highpass", fs=rate, output="sos")
    # Silence before and after, as long as the filter rings: a stem begins and ends without a thump.
    rest = math.ceil(RINGS / band.low * rate)
    passed = sosfiltfilt(sections, np.pad(samples, rest), padlen=0)
    return passed[rest : rest + len(samples)].astype(np.float32)
