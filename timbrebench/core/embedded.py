"""Sets of clips as embedding vectors: what all distances between sets start from."""

# Shapes: n vectors of d dimensions.

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import Embedding, SetMetric
from timbrebench.core.loudness import RULE, at_loudness
from timbrebench.core.memo import Memo
from timbrebench.core.records import Clip
from timbrebench.core.signs import alive
from timbrebench.core.statistics import FEWEST, jackknife_interval

_REMEMBERED = 2048  # clips of an embedding: all stems of starlet are about a thousand
GROUPS = 20  # of clips, left out one after the other, where there are more clips


# What several distances need of one embedding is made once.
_memos: WeakKeyDictionary[Embedding, Memo[np.ndarray]] = WeakKeyDictionary()


@dataclass
class Embedded:
    """A set of clips as vectors, and what came of it."""

    by_clip: list[np.ndarray] = field(default_factory=list)  # of each clip that has any [n, d]
    names: list[str] = field(default_factory=list)  # of these clips
    seconds: float = 0.0
    skipped: dict[str, str] = field(default_factory=dict)  # clip → reason

    @cached_property
    def vectors(self) -> np.ndarray:
        """All of them [n, d], in float64; once the set is complete."""
        return np.concatenate(self.by_clip).astype(np.float64)

    def add(self, name: str, vectors: np.ndarray, seconds: float) -> None:
        """One clip's vectors [n, d]."""
        self.by_clip.append(vectors)
        self.names.append(name)
        self.seconds += seconds

    def checked(self, side: str) -> "Embedded":
        """Itself; CannotMeasure where it has no two vectors."""
        count = sum(map(len, self.by_clip))
        if count < 2:
            clips = len(self.by_clip) + len(self.skipped)
            reason = next(iter(self.skipped.values()), f"there are {clips} clips")
            raise CannotMeasure(f"the {side} give {count} vectors, at least 2 are needed: {reason}")
        return self


class EmbeddingMetric(SetMetric):
    """Whatever is measured of sets in the space of any embedding."""

    embedding: Embedding
    bounded = True

    def __init__(self, options: Any, embedding: Embedding | None = None) -> None:
        if embedding is None:
            raise ValueError(f"{type(self).__name__} needs an embedding")
        super().__init__(options, embedding)

    def embed(self, side: str, clips: Sequence[Clip]) -> Embedded:
        """Clips as vectors, each at one loudness. ``side`` (references | estimates) is named in
        reasons. CannotMeasure where they give no 2 vectors."""
        found = Embedded()
        memo = _memos.setdefault(self.embedding, Memo(_REMEMBERED))
        for index, clip in enumerate(clips):
            alive()
            name = clip.track or str(index)
            try:
                vectors = memo.get(clip.samples, partial(vectors_of, self.embedding))
            except CannotMeasure as error:
                found.skipped[f"{side}/{name}"] = str(error)
            else:
                found.add(name, vectors, clip.seconds)
        return found.checked(side)


class EmbeddingDistance(EmbeddingMetric):
    """A distance between two sets in the space of any embedding."""

    @abstractmethod
    def compare(self, real: Embedded, made: Embedded) -> tuple[dict[str, float], dict[str, Any]]:
        """As :meth:`measure`, of sets that are vectors already."""

    def measure(
        self, references: Sequence[Clip], estimates: Sequence[Clip]
    ) -> tuple[dict[str, float], dict[str, Any]]:
        real = self.embed("references", references)
        return self.compare(real, self.embed("estimates", estimates))

    def details(self, real: Embedded, made: Embedded) -> dict[str, Any]:
        """What a row tells of the sets that it is made from."""
        info = self.embedding.info
        return {
            "n": sum(map(len, made.by_clip)),
            "n_reference": sum(map(len, real.by_clip)),
            "n_files": len(made.by_clip),
            "n_reference_files": len(real.by_clip),
            "seconds": round(made.seconds, 3),
            "embedding": info.name,
            "weights_sha256": info.weights_sha256,
            "loudness": RULE,
            "skipped": {**real.skipped, **made.skipped},
        }


def vectors_of(embedding: Embedding, samples: np.ndarray) -> np.ndarray:
    """Samples [n] at the embedding's rate, brought to one loudness → [windows, d] float32."""
    return _checked(embedding.embed(_prepared(embedding, samples)))


def vectors_of_all(embedding: Embedding, samples: Sequence[np.ndarray]) -> list[np.ndarray]:
    """:func:`vectors_of` of several clips. CannotMeasure if one of them has none."""
    return [
        _checked(each) for each in embedding.embed_all([_prepared(embedding, s) for s in samples])
    ]


def _checked(vectors: np.ndarray) -> np.ndarray:
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise CannotMeasure("the embedding gave something else than finite vectors")
    return vectors


def _prepared(embedding: Embedding, samples: np.ndarray) -> Clip:
    if not np.isfinite(samples).all():
        raise CannotMeasure("it has NaN or infinite samples")
    return Clip(at_loudness(samples), embedding.info.rate)


def jackknifed(
    value: float,
    made: Embedded,
    distance: Callable[[np.ndarray], float],
    least: float = -math.inf,
) -> dict[str, Any]:
    """The 95 % interval of a distance over clips, as details of its row, the distances ``without``
    each clip in turn (of many clips, without each of GROUPS groups of them), and the ``least``
    that the distance can be."""
    clips = [clip.astype(np.float64) for clip in made.by_clip]
    count = min(len(clips), GROUPS)
    if count < FEWEST:
        return {}
    groups = [range(g, len(clips), count) for g in range(count)]
    kept = [np.concatenate([c for i, c in enumerate(clips) if i not in g]) for g in groups]
    if min(map(len, kept)) < 2:
        return {}
    without = [distance(vectors) for vectors in kept]
    interval = jackknife_interval(value, without)
    assert interval is not None
    details: dict[str, Any] = {"interval": [max(least, interval[0]), interval[1]]}
    if least > -math.inf:  # JSON knows no infinity
        details["least"] = least
    if count == len(clips):
        details["without"] = dict(zip(made.names, without, strict=True))
    return details
