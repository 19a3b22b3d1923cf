"""An accompaniment from a voice: each instrument's stem is the voice converted, then fitted in.

After Singh and Palariya 2023 (accompaniment by cross-diffusion): each converted stem is
band-passed, level-normalised and summed with the vocals.
"""

# Shapes: n samples at the rate of the voice.

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from timbrebench.benchmarks.agreement import agreement
from timbrebench.benchmarks.bands import Band, band_pass, known_band
from timbrebench.benchmarks.playing import Player
from timbrebench.benchmarks.sound import Sound, convert, peak_safe
from timbrebench.benchmarks.store import file_name
from timbrebench.core import audio
from timbrebench.core.errors import BenchError
from timbrebench.core.records import Task


@dataclass(frozen=True)
class Wishes:
    """How stems are fitted in. ``low`` and ``high`` in Hz; None: as the instrument has them."""

    low: float | None = None
    high: float | None = None
    level: float = -6.0  # dB of a stem's RMS over the voice's
    seed: int = 0
    styles: Mapping[str, Path] = field(default_factory=dict)  # instrument → an example of it


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

        given = [wishes.styles[name]] if name in wishes.styles else []
        styles = player.styles(task.target, given, wishes.seed)
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
    found, reason = known_band(player, instrument)
    if found is None:
        raise BenchError(
            f"the band of {instrument} is that of its training tracks, which cannot be read: "
            f"{reason}",
            hint="Give it: --low HZ --high HZ",
        )
    low = found.low if wishes.low is None else wishes.low
    return Band(low, found.high if wishes.high is None else wishes.high)


def fit_in(
    samples: np.ndarray, voice: np.ndarray, rate: int, band: Band, level: float
) -> np.ndarray:
    """A stem [n], band-passed, ``level`` dB above the RMS of the voice."""
    passed = band_pass(samples, rate, band)
    return audio.match_rms(passed, audio.rms(voice) * 10 ** (level / 20))
