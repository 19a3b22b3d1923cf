"""Crops of two instruments that play the same music, drawn for training."""

# Shapes: M mel bands, T frames of a track, S frames of a crop.

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timbrebench.core.errors import BenchError
from timbrebench.core.features import aligned_log_mels, crop
from timbrebench.core.interfaces import Progress
from timbrebench.core.mel import MelSpec, fit_range
from timbrebench.core.records import Corpus, Track
from timbrebench.methods.diffusion.crops import at_least, random_place

Pair = tuple[np.ndarray, np.ndarray]  # log-mels of source and target, each [M, T]


@dataclass(frozen=True)
class Pairs:
    """The aligned log-mels of a direction, by split."""

    mels: dict[str, list[Pair]]
    spec: MelSpec

    def crop(self, rng: np.random.Generator, split: str) -> Pair:
        """Source and target [M, S] at one random place; longer tracks come more often."""
        pairs, frames = self.mels[split], self.spec.frames
        track, start = random_place(rng, [source.shape[1] for source, _ in pairs], frames)
        source, target = (crop(mel, start, frames) for mel in pairs[track])
        return source, target

    def ranges(self) -> dict[str, dict[str, float]]:
        """The fixed range of each side, fitted to the training tracks."""
        sources, targets = zip(*self.mels["train"], strict=True)
        return {"source": fit_range(sources, self.spec), "target": fit_range(targets, self.spec)}


def load_pairs(
    corpus: Corpus, source: str, target: str, spec: MelSpec, progress: Progress | None = None
) -> Pairs:
    """The log-mels of all training and validation tracks that both instruments play."""
    mels = {}
    for split in ("train", "valid"):
        tracks = corpus.tracks_of(split, source, target)
        mels[split] = _load(corpus, tracks, source, target, spec, progress)
    if not mels["train"]:
        raise BenchError(
            f"no training track of {corpus.name} has both {source} and {target}.",
            hint="Choose other instruments with --tasks, or another --split.",
        )
    return Pairs(mels, spec)


def _load(
    corpus: Corpus,
    tracks: Sequence[Track],
    source: str,
    target: str,
    spec: MelSpec,
    progress: Progress | None,
) -> list[Pair]:
    found = aligned_log_mels(corpus, tracks, (source, target), spec, progress)
    size = spec.frames
    return [(at_least(a, size, spec), at_least(b, size, spec)) for a, b in found.values()]
