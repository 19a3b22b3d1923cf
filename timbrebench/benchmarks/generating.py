"""Clips that a cell's method makes of nothing, as files."""

from pathlib import Path

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
    """The pair of that number: 001-a.flac and 001-b.flac, which add up to 001-mix.flac."""
    halves = player.pair(task, seconds, seed, number)
    if len(halves) != 2:
        raise BenchError(f"{player.label} gave {len(halves)} halves of a pair.")
    rate = halves[0].rate
    a, b = (audio.resample(half.samples, half.rate, rate) for half in halves)
    length = min(len(a), len(b))
    signals = peak_safe(a[:length], b[:length], a[:length] + b[:length])
    for name, samples in zip(("a", "b", "mix"), signals, strict=True):
        audio.write(folder / f"{number:03d}-{name}.flac", samples, rate)
