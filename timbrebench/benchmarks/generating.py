"""Clips that a cell's method makes of nothing, as files."""

from collections.abc import Mapping
from pathlib import Path

from timbrebench.benchmarks.bands import Band, band_pass, known_band
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


def bands_of(player: Player, task: Task) -> tuple[dict[str, Band], list[str]]:
    """The bands of a pair's instruments, as their training tracks have them (double-diffusion
    cuts its outputs so, Singh & Palariya 2023), and words on those that cannot be had."""
    bands, notes = {}, []
    for name in task.ends:
        found, reason = known_band(player, name)
        if found is not None:
            bands[name] = found
        else:
            notes.append(
                f"{name} keeps all frequencies: its training tracks cannot be read: {reason}"
            )
    return bands, notes


def write_pair(
    player: Player,
    task: Task,
    bands: Mapping[str, Band],
    seconds: float,
    seed: int,
    number: int,
    folder: Path,
) -> None:
    """The pair of that number: 001-a.flac and 001-b.flac, each within its instrument's band, which
    add up to 001-mix.flac."""
    halves = player.pair(task, seconds, seed, number)
    if len(halves) != 2:
        raise BenchError(f"{player.label} gave {len(halves)} halves of a pair.")
    rate = halves[0].rate
    signals = []
    for name, half in zip(task.ends, halves, strict=True):
        samples = audio.resample(half.samples, half.rate, rate)
        signals.append(band_pass(samples, rate, bands[name]) if name in bands else samples)
    length = min(map(len, signals))
    a, b = (samples[:length] for samples in signals)
    for name, samples in zip(("a", "b", "mix"), peak_safe(a, b, a + b), strict=True):
        audio.write(folder / f"{number:03d}-{name}.flac", samples, rate)
