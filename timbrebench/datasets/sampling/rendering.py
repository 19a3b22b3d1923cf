"""From audio to files: several jobs at a time, each file whole or not at all."""

import functools
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile

from timbrebench.core.files import atomic_path
from timbrebench.core.interfaces import Progress
from timbrebench.datasets.sampling.soundfont import SoundFont

Job = TypeVar("Job")
_MOST_THREADS = 8


def in_threads(
    work: Callable[[Job], None], jobs: Sequence[Job], progress: Progress, what: str
) -> None:
    """Every job, in any order; what is made of each depends on itself alone.

    Threads, because they share the tones, and most of the work is numpy's and the encoder's.
    """
    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS))
    try:
        futures = [pool.submit(work, job) for job in jobs]
        for number, future in enumerate(as_completed(futures), 1):
            future.result()
            progress(what, number / len(jobs))
    finally:
        pool.shutdown(cancel_futures=True)


def write_flac(path: Path, audio: np.ndarray, rate: int) -> None:
    """[n] int16, encoded in memory: so a full disk is an OSError and not libsndfile's affair."""
    encoded = io.BytesIO()
    soundfile.write(encoded, audio, rate, format="FLAC", subtype="PCM_16")
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.getvalue())


@functools.lru_cache(maxsize=2)
def font_of(path: Path) -> SoundFont:
    """The SoundFont, read once."""
    return SoundFont(path)
