"""FAD∞: what the Fréchet audio distance would be of a set without end.

Conventions
-----------
FAD falls as the estimates become more, about as a line in 1/n. Subsets of the estimates of
growing size are measured against the whole reference, a line is fitted to FAD over 1/n, and its
value at 1/n = 0 is FAD∞. A subset is made of whole clips, drawn without replacement with a fixed
seed: vectors of one clip are too alike to count as independent. The sizes run from a fifth of the
clips to all of them; each is drawn several times. The row keeps the fit: its points, its slope
and its r². Under 500 vectors the line says nothing, and no value is given. Where estimates are
few the extrapolation is noisy, and it may come out below zero: then it is 0.

References
----------
Gui et al., "Adapting Fréchet audio distance for generative music evaluation", ICASSP 2024, after
Chong & Forsyth, "Effectively unbiased FID and Inception Score", CVPR 2020.
"""

# Shapes: n vectors of d dimensions.

from collections.abc import Sequence
from typing import Any

import numpy as np

from timbrebench.benchmarks.metrics.frechet import DistanceTo, gaussian, grey
from timbrebench.core.embedded import Embedded, EmbeddingDistance
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.seeds import generator

FEWEST = 500  # vectors of the estimates
FEWEST_CLIPS = 10  # to draw subsets from
SIZES = 15  # of subsets, from a fifth of the clips to all
DRAWS = 3  # of each size

Point = tuple[int, float]  # (vectors, FAD)


class ExtrapolatedDistance(EmbeddingDistance):
    """FAD∞ in the space of any embedding."""

    def compare(self, real: Embedded, made: Embedded) -> tuple[dict[str, float], dict[str, Any]]:
        n, clips = len(made.vectors), len(made.by_clip)
        if n < FEWEST or clips < FEWEST_CLIPS:
            raise CannotMeasure(
                f"{n} vectors of {clips} clips are too few to extrapolate from: at least {FEWEST} "
                f"of {FEWEST_CLIPS} clips are needed"
            )
        points = subset_distances(real.vectors, made.by_clip)
        value, fit = extrapolate(points)
        details = self.details(real, made) | {"grey": grey(real, made), **fit}
        return {f"fadinf_{self.embedding.info.name}": value}, details


def subset_distances(real: np.ndarray, by_clip: Sequence[np.ndarray]) -> list[Point]:
    """FAD of subsets of clips [n, d] against the reference [m, d]."""
    rng, to_real = generator("fad infinity"), DistanceTo(*gaussian(real))
    points = []
    for count in np.linspace(len(by_clip) / 5, len(by_clip), SIZES).round().astype(int):
        for _ in range(DRAWS):
            drawn = rng.permutation(len(by_clip))[: max(count, 2)]
            subset = np.concatenate([by_clip[i] for i in drawn]).astype(np.float64)
            points.append((len(subset), to_real.of_vectors(subset)))
    return points


def extrapolate(points: Sequence[Point]) -> tuple[float, dict[str, Any]]:
    """The value at 1/n = 0 of the line through (1/n, FAD), at least 0; and the fit."""
    inverse, distances = np.array([(1 / n, fad) for n, fad in points]).T
    slope, end = np.polyfit(inverse, distances, 1)
    left = np.square(distances - slope * inverse - end).sum()
    spread = np.square(distances - distances.mean()).sum()
    fit = {
        "points": [[n, round(fad, 6)] for n, fad in points],
        "slope": float(slope),
        "r_squared": float(1 - left / spread) if spread > 0 else 1.0,
    }
    return max(0.0, float(end)), fit
