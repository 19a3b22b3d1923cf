"""From notes to files: each piece by each of its instruments, several at a time."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Progress
from timbrebench.core.records import Track
from timbrebench.core.seeds import generator
from timbrebench.datasets.sampling import effects
from timbrebench.datasets.sampling.midi import write_parts
from timbrebench.datasets.sampling.rendering import font_of, in_threads, write_flac
from timbrebench.datasets.sampling.sampler import Sampler
from timbrebench.datasets.sampling.score import Note, Piece
from timbrebench.datasets.starlet.instruments import INSTRUMENTS, MIXTURES
from timbrebench.datasets.starlet.options import Options
from timbrebench.datasets.starlet.repertoire import Entry


@dataclass(frozen=True)
class Job:
    """A piece whose files are to be made where they are missing."""

    entry: Entry
    track: Track  # where the files go
    options: Options
    soundfont: Path

    def done(self) -> bool:
        return all(path.exists() for path in (self.score, *self.track.stems.values()))

    @property
    def score(self) -> Path:
        assert self.track.score is not None  # starlet always knows its notes
        return self.track.score


def render_all(jobs: Sequence[Job], rate: int, progress: Progress) -> None:
    """Every job, in any order; what is made of each depends on itself alone."""
    for path in {job.soundfont for job in jobs}:
        font_of(path)  # once, before there are threads
    in_threads(functools.partial(render, rate=rate), jobs, progress, "rendering pieces")


def render(job: Job, rate: int) -> None:
    """Makes the missing files of a piece."""
    piece = job.entry.notes(job.options)
    play = functools.cache(functools.partial(_stem, job, piece, rate))
    for name, path in job.track.stems.items():
        if not path.exists():
            # A sum of two stems stays in 16 bits: effects.PEAK is below a half.
            players = MIXTURES.get(name, (name,))
            audio = functools.reduce(np.add, map(play, players))
            write_flac(path, audio, rate)
    if not job.score.exists():
        write_parts(job.score, piece.parts)


def _stem(job: Job, piece: Piece, rate: int, name: str) -> np.ndarray:
    """One instrument's recording, [n] int16."""
    options = job.options
    notes: Sequence[Note] = piece.parts[job.entry.parts[name]]
    if options.timing_ms:
        notes = _moved(notes, options.timing_ms / 1000, _rng(job, "timing", name))
    sampler = Sampler(font_of(job.soundfont), rate)
    wave = sampler.play(INSTRUMENTS[name].program, notes, round(piece.seconds * rate))
    if notes and not wave.any():
        raise BenchError(
            f"{job.soundfont} plays nothing of {name} in {job.entry.id}.",
            hint="Name another SoundFont: -o starlet.soundfont=FILE",
        )
    if options.reverb:
        wave = effects.in_room(wave, effects.room(_rng(job, "room"), rate), options.reverb)
    return effects.finished(wave, rate, _rng(job, "level", name).uniform(0, options.level_db))


def _rng(job: Job, *keys: str) -> np.random.Generator:
    return generator("starlet", job.options.seed, job.entry.id, *keys)


def _moved(notes: Sequence[Note], most: float, rng: np.random.Generator) -> list[Note]:
    """Each note earlier or later by up to ``most`` seconds."""
    shifts = rng.uniform(-most, most, size=len(notes))
    return [
        replace(n, start=max(0.0, n.start + float(s))) for n, s in zip(notes, shifts, strict=True)
    ]
