"""Kernel audio distance: how far a set of clips is from a set of real ones, without bias.

Conventions
-----------
The squared maximum mean discrepancy of the two sets of embedding vectors under a Gaussian kernel
k(x, y) = exp(-‖x - y‖² / 2b²), times 100 as its authors' toolkit prints it. The estimator is the
unbiased one: a vector is never compared with itself, so that the expected value does not depend
on the number of vectors, and two sets of one distribution come out about 0 and as often below as
above it. The bandwidth b is the median distance between two vectors of the reference, of 4,096
of them, drawn with a fixed seed, where there are more: estimates do not move it. Every clip is
brought to one loudness before it is embedded.

References
----------
Chung et al., "KAD: No more FAD! An effective and efficient evaluation metric for audio
generation", 2025 (arXiv 2502.15602). Unbiased estimator: Gretton et al., "A kernel two-sample
test", JMLR 2012, Lemma 6.
"""

# Shapes: n and m vectors of d dimensions.

from typing import Any

import numpy as np

from timbrebench.core.embedded import Embedded, EmbeddingDistance, jackknifed
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.seeds import generator

SCALE = 100.0
MOST_FOR_MEDIAN = 4096  # reference vectors that the bandwidth is taken from
_BLOCK = 1024  # rows of a kernel matrix held at once


class KernelAudioDistance(EmbeddingDistance):
    """KAD in the space of any embedding."""

    def compare(self, real: Embedded, made: Embedded) -> tuple[dict[str, float], dict[str, Any]]:
        bandwidth = median_distance(real.vectors)
        if not bandwidth > 0:
            raise CannotMeasure("more than half of the references' vectors are one and the same")
        within = _within(real.vectors, bandwidth)

        def distance(vectors: np.ndarray) -> float:
            between = _kernel_sum(real.vectors, vectors, bandwidth)
            between /= len(real.vectors) * len(vectors)
            return SCALE * (within + _within(vectors, bandwidth) - 2 * between)

        value = distance(made.vectors)
        details = self.details(real, made) | {"bandwidth": bandwidth}
        details |= jackknifed(value, made, distance)
        return {f"kad_{self.embedding.info.name}": value}, details


def median_distance(vectors: np.ndarray) -> float:
    """The median Euclidean distance between two different ones of the vectors [n, d]."""
    if len(vectors) > MOST_FOR_MEDIAN:
        kept = generator("kad bandwidth").permutation(len(vectors))[:MOST_FOR_MEDIAN]
        vectors = vectors[np.sort(kept)]
    squares = [
        squared_distances(vectors[at : at + 1], vectors[at + 1 :])[0]
        for at in range(len(vectors) - 1)
    ]
    return float(np.sqrt(np.median(np.concatenate(squares))))


def squared_mmd(x: np.ndarray, y: np.ndarray, bandwidth: float) -> float:
    """The unbiased squared maximum mean discrepancy of vectors [n, d] and [m, d], n, m ≥ 2."""
    between = _kernel_sum(x, y, bandwidth) / (len(x) * len(y))
    return _within(x, bandwidth) + _within(y, bandwidth) - 2 * between


def _within(x: np.ndarray, bandwidth: float) -> float:
    """The mean kernel of two different vectors of a set."""
    n = len(x)
    return (_kernel_sum(x, x, bandwidth) - n) / (n * (n - 1))  # k(x, x) = 1 left out


def _kernel_sum(x: np.ndarray, y: np.ndarray, bandwidth: float) -> float:
    """The kernel summed over all pairs, in blocks: memory does not grow with n · m."""
    return sum(
        float(
            np.exp(
                squared_distances(x[i : i + _BLOCK], y[j : j + _BLOCK]) / -(2 * bandwidth**2)
            ).sum()
        )
        for i in range(0, len(x), _BLOCK)
        for j in range(0, len(y), _BLOCK)
    )


def squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[n, d], [m, d] → [n, m]."""
    squares = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1) - 2 * x @ y.T
    return squares.clip(min=0)
