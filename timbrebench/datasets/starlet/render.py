"""From notes to files: each piece by each of its instruments, several at a time."""

import functools
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from timbrebench.core.files import atomic_path
from timbrebench.core.interfaces import Progress
from timbrebench.core.records import Track
from timbrebench.core.seeds import generator
from timbrebench.datasets.starlet import effects
from timbrebench.datasets.starlet.instruments import INSTRUMENTS, MIXTURES
from timbrebench.datasets.starlet.midi import write_score
from timbrebench.datasets.starlet.options import Options
from timbrebench.datasets.starlet.repertoire import Entry
from timbrebench.datasets.starlet.sampler import Sampler
from timbrebench.datasets.starlet.score import Note, Piece
from timbrebench.datasets.starlet.soundfont import SoundFont

_MOST_THREADS = 8


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
    """Every job, in any order; what is made of each depends on itself alone.

    Threads, because they share the tones, and most of the work is numpy's and the encoder's.
    """
    for path in {job.soundfont for job in jobs}:
        _font(path)  # once, before there are threads
    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS))
    try:
        futures = [pool.submit(render, job, rate) for job in jobs]
        for number, future in enumerate(as_completed(futures), 1):
            future.result()
            progress("rendering pieces", number / len(jobs))
    finally:
        pool.shutdown(cancel_futures=True)


def render(job: Job, rate: int) -> None:
    """Makes the missing files of a piece."""
    piece = job.entry.notes(job.options)
    play = functools.cache(functools.partial(_stem, job, piece, rate))
    for name, path in job.track.stems.items():
        if not path.exists():
            # A sum of two stems stays in 16 bits: effects.PEAK is below a half.
            players = MIXTURES.get(name, (name,))
            audio = functools.reduce(np.add, map(play, players))
            _write_flac(path, audio, rate)
    if not job.score.exists():
        write_score(job.score, piece)


def _write_flac(path: Path, audio: np.ndarray, rate: int) -> None:
    """Encoded in memory, so that a full disk is an OSError and not libsndfile's affair."""
    encoded = io.BytesIO()
    soundfile.write(encoded, audio, rate, format="FLAC", subtype="PCM_16")
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.getvalue())


def _stem(job: Job, piece: Piece, rate: int, name: str) -> np.ndarray:
    """One instrument's recording, [n] int16."""
    options = job.options
    notes: Sequence[Note] = piece.parts[job.entry.parts[name]]
    if options.timing_ms:
        notes = _moved(notes, options.timing_ms / 1000, _rng(job, "timing", name))
    sampler = Sampler(_font(job.soundfont), rate)
    wave = sampler.play(INSTRUMENTS[name].program, notes, round(piece.seconds * rate))
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


@functools.lru_cache(maxsize=2)
def _font(path: Path) -> SoundFont:
    return SoundFont(path)
