"""A metric of brightness.

Conventions: the spectral centroid is the mean frequency of the magnitude spectrum of the whole
clip. 0 is best. Silence has no centroid and cannot be measured.
"""

import numpy as np

from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import PairMetric

SHORTEST = 256  # samples


class CentroidError(PairMetric):
    """|centroid of the estimate - centroid of the reference| in Hz."""

    def measure(self, reference, estimate):
        error = abs(centroid_hz(estimate) - centroid_hz(reference))
        return {"centroid_error_hz": error}


def centroid_hz(clip):
    """The mean frequency of a clip, in Hz."""
    if len(clip.samples) < SHORTEST:
        raise CannotMeasure(f"a clip of {len(clip.samples)} samples is too short")
    magnitude = np.abs(np.fft.rfft(clip.samples))
    total = magnitude.sum()
    if not np.isfinite(total) or total < 1e-6:
        raise CannotMeasure("a clip is silent or has samples that are no numbers")
    frequencies = np.fft.rfftfreq(len(clip.samples), 1 / clip.rate)
    return float((frequencies * magnitude).sum() / total)
