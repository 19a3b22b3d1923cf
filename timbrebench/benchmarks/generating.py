"""Clips that a cell's method makes of nothing, as files."""

import contextlib
import functools
from pathlib import Path

import numpy as np

from timbrebench.benchmarks.bands import Band, band_of, band_pass
from timbrebench.benchmarks.playing import Player
from timbrebench.benchmarks.sound import peak_safe
from timbrebench.core import audio
from timbrebench.core.errors import BenchError
from timbrebench.core.records import Task


def write_clip(
    player: Player, task: Task, seconds: float, seed: int, number: int, folder: Path
) -> None:
    """The clip of that number, as 001.flac and so on, at the level that the method gave it."""
    clip = player.generate(task.a, seconds, seed, number)
    audio.write(folder / f"{number:03d}.flac", clip.samples, clip.rate)


def write_pair(
    player: Player, task: Task, seconds: float, seed: int, number: int, folder: Path
) -> None:
    """The pair of that number: 001-a.flac and 001-b.flac, which add up to 001-mix.flac.

    Each half keeps the band of its instrument's training tracks (Singh & Palariya 2023); all of
    it where these cannot be read.
    """
    halves = player.pair(task, seconds, seed, number)
    if len(halves) != 2:
        raise BenchError(f"{player.label} gave {len(halves)} halves of a pair.")
    rate = halves[0].rate
    a, b = (
        _in_band(player, name, audio.resample(half.samples, half.rate, rate), rate)
        for name, half in zip(task.ends, halves, strict=True)
    )
    length = min(len(a), len(b))
    signals = peak_safe(a[:length], b[:length], a[:length] + b[:length])
    for name, samples in zip(("a", "b", "mix"), signals, strict=True):
        audio.write(folder / f"{number:03d}-{name}.flac", samples, rate)


def _in_band(player: Player, instrument: str, samples: np.ndarray, rate: int) -> np.ndarray:
    band = _band(player, instrument)
    return samples if band is None else band_pass(samples, rate, band)


@functools.lru_cache
def _band(player: Player, instrument: str) -> Band | None:
    """Measured once, though every pair asks."""
    with contextlib.suppress(BenchError):
        return band_of(player.session.corpus, instrument)
    return None
