"""Fréchet audio distance: how far a set of clips is from a set of real ones, in an embedding.

Conventions
-----------
Both sets are described by the mean μ and covariance Σ of their embedding vectors, and
FAD = ‖μr - μe‖² + tr(Σr + Σe - 2 (Σr Σe)^½). Every clip is brought to one loudness before it is
embedded. The distance grows as the sets get smaller (two samples of one Gaussian in 128
dimensions are 27 % of its variance apart at 50 vectors and 1 % at 1000), so values compare only
at equal n, with the same embedding and the same references.

References
----------
Kilgour et al., "Fréchet audio distance: a reference-free metric for evaluating music enhancement
algorithms", Interspeech 2019.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from timbrebench.benchmarks.metrics.loudness import RULE, at_loudness
from timbrebench.benchmarks.metrics.memo import by_content
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import Embedding, SetMetric
from timbrebench.core.records import Clip

GREY_BELOW = 2  # vectors a dimension: a covariance from fewer says little
_REMEMBERED = 1024  # clips


def gaussian(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors [n, d], n ≥ 2 → (mean [d], unbiased covariance [d, d]), in float64."""
    vectors = np.asarray(vectors, np.float64)
    return vectors.mean(axis=0), np.atleast_2d(np.cov(vectors, rowvar=False))


def frechet_distance(
    mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray
) -> float:
    """Squared Fréchet distance of two Gaussians: means [d], covariances [d, d].

    tr (Σ1 Σ2)^½ is the sum of the roots of the eigenvalues of Σ1^½ Σ2 Σ1^½, which is symmetric:
    unlike a matrix root of Σ1 Σ2 it is always real, also where a covariance is singular.
    """
    root1 = _root(np.asarray(cov1, np.float64))
    eigenvalues = np.linalg.eigvalsh(root1 @ np.asarray(cov2, np.float64) @ root1)
    shared = np.sqrt(eigenvalues.clip(min=0)).sum()
    between = np.square(np.asarray(mean1, np.float64) - mean2).sum()
    return max(0.0, float(between + np.trace(cov1) + np.trace(cov2) - 2 * shared))


def _root(cov: np.ndarray) -> np.ndarray:
    """The symmetric root of a covariance [d, d]; rounding below zero is cut off."""
    values, vectors = np.linalg.eigh(cov)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


@dataclass
class _Embedded:
    """A set of clips as vectors [n, d], and what came of it."""

    vectors: np.ndarray
    seconds: float
    files: int
    skipped: dict[str, str]  # clip → reason


class FrechetAudioDistance(SetMetric):
    """FAD in the space of any embedding."""

    embedding: Embedding

    def __init__(self, options: Any, embedding: Embedding | None = None) -> None:
        if embedding is None:
            raise ValueError("FAD needs an embedding")
        super().__init__(options, embedding)
        self._embed_samples = by_content(_REMEMBERED)(self._embed_at_loudness)

    def measure(
        self, references: Sequence[Clip], estimates: Sequence[Clip]
    ) -> tuple[dict[str, float], dict[str, Any]]:
        real = self._embed("references", references)
        made = self._embed("estimates", estimates)
        info = self.embedding.info
        n, dimension = made.vectors.shape
        details = {
            "n": n,
            "n_reference": len(real.vectors),
            "n_files": made.files,
            "n_reference_files": real.files,
            "seconds": round(made.seconds, 3),
            "embedding": info.name,
            "weights_sha256": info.weights_sha256,
            "loudness": RULE,
            "grey": min(n, len(real.vectors)) < GREY_BELOW * dimension,
            "skipped": {**real.skipped, **made.skipped},
        }
        value = frechet_distance(*gaussian(real.vectors), *gaussian(made.vectors))
        return {f"fad_{info.name}": value}, details

    def _embed(self, side: str, clips: Sequence[Clip]) -> _Embedded:
        vectors, seconds, skipped = [], 0.0, {}
        for index, clip in enumerate(clips):
            try:
                vectors.append(self._embed_samples(clip.samples))
                seconds += clip.seconds
            except CannotMeasure as error:
                skipped[f"{side}/{clip.track or index}"] = str(error)
        count = sum(map(len, vectors))
        if count < 2:
            reason = next(iter(skipped.values()), f"there are {len(clips)} clips")
            raise CannotMeasure(f"the {side} give {count} vectors, at least 2 are needed: {reason}")
        return _Embedded(np.concatenate(vectors), seconds, len(vectors), skipped)

    def _embed_at_loudness(self, samples: np.ndarray) -> np.ndarray:
        if not np.isfinite(samples).all():
            raise CannotMeasure("it has NaN or infinite samples")
        return self.embedding.embed(Clip(at_loudness(samples), self.embedding.info.rate))
