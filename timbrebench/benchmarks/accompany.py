"""An accompaniment from a voice: each instrument's stem is the voice converted, then fitted in.

After Singh and Palariya 2023 (accompaniment by cross-diffusion): each converted stem is
band-passed, level-normalised and summed with the vocals.
"""

# Shapes: n samples at the rate of the voice.

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from timbrebench.benchmarks.agreement import agreement
from timbrebench.benchmarks.playing import Player
from timbrebench.benchmarks.sound import Sound, convert, peak_safe
from timbrebench.benchmarks.store import file_name
from timbrebench.core import audio
from timbrebench.core.errors import BenchError
from timbrebench.core.records import Corpus, Task

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


@dataclass(frozen=True)
class Wishes:
    """How stems are fitted in. ``low`` and ``high`` in Hz; None: as the instrument has them."""

    low: float | None = None
    high: float | None = None
    level: float = -6.0  # dB of a stem's RMS over the voice's
    seed: int = 0


def accompany(
    voice: Sound,
    players: Mapping[str, tuple[Player, Task]],
    wishes: Wishes,
    out: Path,
    listen: Callable[[float], None],
) -> list[dict[str, Any]]:
    """Writes the mix and, beside it, the stem of each instrument, all under one gain; a row for
    each stem."""
    bands = {name: _band(player, name, wishes) for name, (player, _) in players.items()}
    stems = {}
    for number, (name, (player, task)) in enumerate(players.items()):

        def heard(share: float, done: int = number) -> None:
            listen((done + share) / len(players))

        styles = player.styles(task.target, (), wishes.seed)
        made = convert(player, voice, task, styles, wishes.seed, heard)
        stems[name] = fit_in(made, voice.samples, voice.rate, bands[name], wishes.level)
    mix = np.stack([voice.samples, *stems.values()]).sum(axis=0)
    safe_mix, *safe_stems = peak_safe(mix, *stems.values())
    audio.write(out, safe_mix, voice.rate)
    rows = []
    for name, stem in zip(stems, safe_stems, strict=True):
        path = stem_path(out, name)
        audio.write(path, stem, voice.rate)
        band = {"low_hz": bands[name].low, "high_hz": bands[name].high}
        agrees = agreement(voice.samples, stem, voice.rate)
        rows.append({"instrument": name, "file": str(path), **band, **agrees})
    return rows


def stem_path(out: Path, instrument: str) -> Path:
    """mix.flac → mix-violin.flac."""
    return out.with_name(f"{out.stem}-{file_name(instrument)}{out.suffix}")


def _band(player: Player, instrument: str, wishes: Wishes) -> Band:
    if wishes.low is not None and wishes.high is not None:
        return Band(wishes.low, wishes.high)
    try:
        found = band_of(player.session.corpus, instrument)
        reason = player.without_corpus or "there are none, or they are silent"
    except BenchError as error:
        found, reason = None, error.what
    if found is None:
        raise BenchError(
            f"the band of {instrument} is that of its training tracks, which cannot be read: "
            f"{reason}",
            hint="Give it: --low HZ --high HZ",
        )
    low = found.low if wishes.low is None else wishes.low
    return Band(low, found.high if wishes.high is None else wishes.high)


# ------------------------------------------------------------------ fitting a stem in


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


def fit_in(
    samples: np.ndarray, voice: np.ndarray, rate: int, band: Band, level: float
) -> np.ndarray:
    """A stem [n], band-passed, ``level`` dB above the RMS of the voice."""
    passed = band_pass(samples, rate, band)
    return audio.match_rms(passed, audio.rms(voice) * 10 ** (level / 20))
