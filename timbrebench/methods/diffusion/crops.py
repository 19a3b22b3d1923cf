"""Crops of one instrument's recordings, drawn for training."""

# Shapes: M mel bands, T frames of a track, S frames of a crop.

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timbrebench.core.errors import BenchError
from timbrebench.core.features import crop, log_mels
from timbrebench.core.interfaces import Progress
from timbrebench.core.mel import MelSpec, silence
from timbrebench.core.records import Corpus


@dataclass(frozen=True)
class Crops:
    """The log-mels of an instrument [M, T], by split; T is at least ``frames``."""

    mels: dict[str, list[np.ndarray]]
    frames: int

    def crop(self, rng: np.random.Generator, split: str) -> np.ndarray:
        """The log-mel [M, S] at a random place."""
        mels = self.mels[split]
        track, start = random_place(rng, [mel.shape[1] for mel in mels], self.frames)
        return crop(mels[track], start, self.frames)


def random_place(rng: np.random.Generator, lengths: Sequence[int], frames: int) -> tuple[int, int]:
    """(track, first frame) of a crop, every place alike: longer tracks come more often."""
    ends = np.cumsum([length - frames + 1 for length in lengths])
    place = int(rng.integers(ends[-1]))
    track = int(np.searchsorted(ends, place, side="right"))
    return track, int(ends[track]) - 1 - place


def at_least(log_mel: np.ndarray, frames: int, spec: MelSpec) -> np.ndarray:
    """[M, max(T, frames)]: what is missing at the end is silence."""
    missing = frames - log_mel.shape[1]
    if missing <= 0:
        return log_mel  # as it lies in the cache
    return np.pad(log_mel, ((0, 0), (0, missing)), constant_values=silence(spec))


def load_crops(
    corpus: Corpus,
    instrument: str,
    spec: MelSpec,
    frames: int,
    progress: Progress | None = None,
) -> Crops:
    """The log-mels of all training and validation tracks that have the instrument."""
    mels = {}
    for split in ("train", "valid"):
        tracks = corpus.tracks_of(split, instrument)
        found = log_mels(corpus, tracks, instrument, spec, progress)
        mels[split] = [at_least(mel, frames, spec) for mel in found.values()]
    if not mels["train"]:
        raise BenchError(
            f"no training track of {corpus.name} has {instrument}.",
            hint="Choose another instrument with --tasks, or another --split.",
        )
    return Crops(mels, frames)
