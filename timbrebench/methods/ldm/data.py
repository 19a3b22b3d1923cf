"""What examples are drawn from: the tracks of each instrument, and crops of them."""

from collections.abc import Mapping, Sequence

import numpy as np

from timbrebench.core import features, mel
from timbrebench.core.errors import MissingData
from timbrebench.core.records import Corpus, Task

Tracks = dict[str, np.ndarray]  # track → values [..., T]
Library = dict[str, Tracks]  # instrument → its tracks


def instruments_of(tasks: Sequence[Task]) -> list[str]:
    """All that the tasks touch, sorted: one model serves them all."""
    direct = [part for task in tasks for part in task.direct]
    return sorted({name for task in direct for name in (task.a, task.b) if name})


def log_mels(corpus: Corpus, split: str, instruments: Sequence[str], spec: mel.MelSpec) -> Library:
    """Log-mels [M, T] of a split; instruments without a track in it are left out."""
    found = {i: corpus.tracks_of(split, i) for i in instruments}
    if split == "train" and not all(found.values()):
        missing = next(i for i, tracks in found.items() if not tracks)
        raise MissingData(f"{corpus.name} has no training track of {missing}.")
    return {i: features.log_mels(corpus, ts, i, spec) for i, ts in found.items() if ts}


def normalised(log_mel: np.ndarray, state: Mapping[str, float], size: int) -> np.ndarray:
    """Log-mel [M, T] → float32 in -1..1, with silence added up to ``size`` frames."""
    values = mel.normalise(np.ascontiguousarray(log_mel), state).astype(np.float32)
    return lengthen(values, size, -1.0)


def lengthen(values: np.ndarray, size: int, fill: float) -> np.ndarray:
    """Values [..., T] with ``fill`` added at the end up to ``size`` frames."""
    short = size - values.shape[-1]
    if short <= 0:
        return values
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, short)], constant_values=fill)


def slices(log_mel: np.ndarray, spec: mel.MelSpec) -> list[np.ndarray]:
    """Consecutive slices [M, S] of a log-mel; what is left at the end only if there is nothing
    else, filled with silence."""
    size = spec.frames
    whole = lengthen(log_mel, size, mel.silence(spec))
    return [whole[:, i : i + size] for i in range(0, whole.shape[1] - size + 1, size)]


def pick(rng: np.random.Generator, names: Sequence[str]) -> str:
    """One of the names, each as likely."""
    return names[int(rng.integers(len(names)))]


def start_of_crop(rng: np.random.Generator, values: np.ndarray, size: int) -> int:
    """Where a crop of ``size`` of the last axis may begin."""
    return int(rng.integers(values.shape[-1] - size + 1))


def crop(rng: np.random.Generator, values: np.ndarray, size: int) -> np.ndarray:
    """``size`` consecutive places of the last axis."""
    start = start_of_crop(rng, values, size)
    return values[..., start : start + size]
