"""What the published stages train on: slices as images, and pairs of them.

Ours are split by track; the published pairs were split by slice, so that slices of one recording
lay on both sides.
"""

# Shapes: N slices, M mel bands, S frames of a slice.

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from timbrebench.core import mel, spectrograms
from timbrebench.core.mapped import joined_on_disk
from timbrebench.methods.ldm import data

# ---------------------------------------------------------------------------- log-mel ↔ image


class Scaling(ABC):
    """How a slice of a log-mel is made an image, and back."""

    @abstractmethod
    def images(self, log_mels: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mels [N, M, S] → images, like them, and the levels [N, 1, 1] that undo it."""

    @abstractmethod
    def log_mels(self, images: Tensor, levels: Tensor) -> Tensor:
        """Images [N, M, S] → log-mels."""


class OwnMaximum(Scaling):
    """As published: 8-bit images in 0..1, from 80 dB below a slice's own maximum."""

    def __init__(self, spec: mel.MelSpec) -> None:
        unit_db = 1.0 if spec.scale == "db" else spec.power * np.log(10) / 20
        self.span = mel.RANGE_DB * unit_db  # 80 dB in the log-mel's own unit

    def images(self, log_mels: Tensor) -> tuple[Tensor, Tensor]:
        peak = log_mels.amax(dim=(1, 2), keepdim=True)
        return spectrograms.grey(log_mels, peak, self.span) / 255, peak

    def log_mels(self, images: Tensor, levels: Tensor) -> Tensor:
        return (images.clamp(0, 1) - 1) * self.span + levels


class FixedRange(Scaling):
    """Corrected: images in -1..1 by the range of the training set; levels stay as they are."""

    def __init__(self, state: Mapping[str, float]) -> None:
        self.state = state

    def images(self, log_mels: Tensor) -> tuple[Tensor, Tensor]:
        level = log_mels.new_full((len(log_mels), 1, 1), self.state["high"])
        return mel.normalise(log_mels, self.state), level

    def log_mels(self, images: Tensor, levels: Tensor) -> Tensor:
        return mel.denormalise(images.clamp(-1, 1), self.state)


def scaling_of(
    corrections: frozenset[str], spec: mel.MelSpec, state: Mapping[str, float]
) -> Scaling:
    """``state`` is the range of the training set."""
    return FixedRange(state) if "range" in corrections else OwnMaximum(spec)


# ---------------------------------------------------------------------------- slices and pairs


class Slices(NamedTuple):
    """All of one instrument."""

    images: np.ndarray  # [N, M, S], read-only, on disk
    tracks: np.ndarray  # [N], the number of the track that each is of


def cut(library: data.Library, scaling: Scaling, spec: mel.MelSpec) -> dict[str, Slices]:
    """Instrument → consecutive slices; the last one of a track filled with silence."""
    return {name: _slices(tracks, scaling, spec) for name, tracks in library.items()}


def _slices(tracks: data.Tracks, scaling: Scaling, spec: mel.MelSpec) -> Slices:
    def of_track(log: np.ndarray) -> np.ndarray:
        """[n, M, S]."""
        whole = -(-log.shape[1] // spec.frames) * spec.frames
        filled = data.lengthen(np.ascontiguousarray(log), whole, mel.silence(spec))
        parts = filled.reshape(spec.n_mels, -1, spec.frames).swapaxes(0, 1)
        images, _ = scaling.images(torch.from_numpy(np.ascontiguousarray(parts)))
        return images.numpy().astype(np.float32)

    counts = [-(-log.shape[1] // spec.frames) for log in tracks.values()]
    images = joined_on_disk(map(of_track, tracks.values()))
    return Slices(images, np.repeat(np.arange(len(counts)), counts))


def of_another_track(rng: np.random.Generator, slices: Slices, index: int) -> np.ndarray:
    """A slice [M, S] of the same instrument from another track; from any where there is one."""
    others = np.flatnonzero(slices.tracks != slices.tracks[index])
    choice = others if len(others) else np.arange(len(slices.tracks))
    return slices.images[rng.choice(choice)]
