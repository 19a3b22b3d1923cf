"""Log-mels of a corpus's stems in memory, for training and for fitting ranges."""

# Shapes: M mels, T frames.

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from timbrebench.core.interfaces import Progress
from timbrebench.core.records import Corpus, Track

if TYPE_CHECKING:
    import numpy as np

    from timbrebench.core.mel import MelSpec


def log_mels(
    corpus: Corpus,
    tracks: Sequence[Track],
    instrument: str,
    spec: "MelSpec",
    progress: Progress | None = None,
) -> "dict[str, np.ndarray]":
    """Track → the log-mel of its stem [M, T] float32. BadAudio names a file that has none."""
    found = aligned_log_mels(corpus, tracks, (instrument,), spec, progress)
    return {id: mels[0] for id, mels in found.items()}


def aligned_log_mels(
    corpus: Corpus,
    tracks: Sequence[Track],
    instruments: Sequence[str],
    spec: "MelSpec",
    progress: Progress | None = None,
) -> "dict[str, tuple[np.ndarray, ...]]":
    """Track → log-mels [M, T] float32 of its stems by ``instruments``, all of one length.

    The recordings of a piece may differ by a few samples: they are cut to the shortest.
    """
    import torch

    told = f"log-mels of {' and '.join(instruments)}"
    found = {}
    # Decoding, resampling and FFTs release the interpreter's lock.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        made = pool.map(lambda track: _aligned(corpus, track, instruments, spec), tracks)
        for done, (track, mels) in enumerate(zip(tracks, made, strict=True), 1):
            found[track.id] = mels
            if progress:
                progress(told, done / len(tracks))
    return found


def _aligned(
    corpus: Corpus, track: Track, instruments: Sequence[str], spec: "MelSpec"
) -> "tuple[np.ndarray, ...]":
    from timbrebench.core.mel import log_mel

    clips = [corpus.load(track.id, instrument, spec.rate) for instrument in instruments]
    shortest = min(len(clip.samples) for clip in clips)
    return tuple(log_mel(clip.samples[:shortest], spec).numpy() for clip in clips)
