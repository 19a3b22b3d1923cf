"""A user's own sound: read as it is, converted in parts, written as long and as loud as it was."""

# Shapes: n samples at the sound's own rate.

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from timbrebench.benchmarks.playing import Player
from timbrebench.core import audio
from timbrebench.core.errors import BenchError
from timbrebench.core.overlap import slices
from timbrebench.core.records import Clip, Task

# Longer sound is converted in parts, so that no method holds more than one at once.
PART_SECONDS, LAP_SECONDS = 300, 1
CANCELS_DB = -10.0  # of a mix-down relative to its channels: independent ones lose 3 dB
FORMATS = (".wav", ".flac")


@dataclass(frozen=True)
class Sound:
    """A file as mono audio at its own rate."""

    samples: np.ndarray  # [n] float32
    rate: int  # Hz
    notes: tuple[str, ...] = ()  # words for the user on how it was read

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def read_sound(path: Path) -> Sound:
    """A file of any length, rate and number of channels."""
    samples, rate = audio.load_as_is(path)
    lost = _mix_down_db(path, audio.rms(samples))
    told = f"{path}: its channels cancel each other: mixed to mono it is {-lost:.0f} dB quieter"
    return Sound(samples, rate, (told,) if lost < CANCELS_DB else ())


def _mix_down_db(path: Path, level: float) -> float:
    """How much louder a mix-down of the RMS ``level`` is than the channels by themselves."""
    with sf.SoundFile(path) as file:
        if file.channels == 1:
            return 0.0
        blocks = file.blocks(1 << 16, dtype="float32", always_2d=True)
        energy, count = 0.0, 0
        for block in blocks:
            energy += float(np.square(block, dtype=np.float64).sum())
            count += block.size
    by_channel = np.sqrt(energy / max(count, 1))
    return 20 * float(np.log10(max(level, 1e-6) / max(by_channel, 1e-6)))


def convert(
    player: Player,
    sound: Sound,
    task: Task,
    styles: Sequence[Clip],
    seed: int,
    listen: Callable[[float], None] = lambda share: None,
) -> np.ndarray:
    """The sound as the target would play it: [n], at the sound's own rate and RMS level.

    Parts overlap and are cross-faded; all begin from the same noise. Silence stays silence.
    """
    size, lap = PART_SECONDS * sound.rate, LAP_SECONDS * sound.rate
    starts = slices(len(sound.samples), size, lap)
    made = np.zeros(len(sound.samples), np.float32)
    for number, start in enumerate(starts):
        source = Clip(sound.samples[start : start + size], sound.rate)
        share = _share_of(listen, number, len(starts))
        part = _converted(player, source, task, styles, seed, share)
        fade = min(lap, len(part)) if start else 0
        made[start : start + fade] = cross_fade(made[start : start + fade], part[:fade])
        made[start + fade : start + len(part)] = part[fade:]
    return audio.match_rms(made, audio.rms(sound.samples))


def _share_of(listen: Callable[[float], None], number: int, parts: int) -> Callable[[float], None]:
    return lambda share: listen((number + share) / parts)


def _converted(
    player: Player,
    clip: Clip,
    task: Task,
    styles: Sequence[Clip],
    seed: int,
    listen: Callable[[float], None],
) -> np.ndarray:
    """[n] → [n] at the same RMS level, whatever level the method works at; padded with silence
    where it gives less."""
    if audio.rms(clip.samples) == 0:
        return np.zeros_like(clip.samples)
    made = player.transfer(clip, task, styles, seed, listen)
    samples = audio.resample(made.samples, made.rate, clip.rate)[: len(clip.samples)]
    padded = np.pad(samples, (0, len(clip.samples) - len(samples)))
    return audio.match_rms(padded, audio.rms(clip.samples))


def cross_fade(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Linear, with the gain that keeps the power: vocoders leave phases that need not agree."""
    rise = (np.arange(len(new)) + 0.5) / max(len(new), 1)
    fall = 1 - rise
    scale = np.sqrt(np.dot(old, old) * np.dot(new, new))
    alike = np.clip(np.dot(old, new) / scale, 0, 1) if scale > 0 else 1.0
    power = fall**2 + rise**2 + 2 * alike * fall * rise
    return ((fall * old + rise * new) / np.sqrt(power)).astype(np.float32)


def peak_safe(*signals: np.ndarray) -> list[np.ndarray]:
    """The signals under one gain, at most 1, by which none of them clips."""
    peak = max(float(np.abs(signal).max(initial=0.0)) for signal in signals)
    return [signal * (audio.CEILING / peak) if peak > 1 else signal for signal in signals]


def check_output(path: Path, *sources: Path) -> None:
    """Refuses what could not be written, before any work is done."""
    if path.suffix.lower() not in FORMATS:
        raise BenchError(f"{path}: audio is written as {' or '.join(FORMATS)}.")
    if path.is_dir():
        raise BenchError(f"{path}: it is a folder.", hint="Name a file in it.")
    if any(path.resolve() == source.resolve() for source in sources):
        raise BenchError(f"{path}: it would replace what it is made from.", hint="Name another.")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Makes a folder, and refuses one in which nothing can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BenchError(f"cannot write to {folder}: {error.strerror}.") from error
