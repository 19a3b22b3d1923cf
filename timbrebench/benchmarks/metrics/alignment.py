"""Pitch distance after dynamic time warping: the notes without their timing.

Conventions
-----------
The piano rolls of ``jaccard_melodia16k``, every fourth frame (32 ms) taken, are aligned by dynamic
time warping, within a tenth of the length (Sakoe & Chiba), where two frames are 1 - |A∩B| / |A∪B|
apart and two empty ones 0. The value is the mean distance along the cheapest path. An estimate
that plays the right notes a little early, late or unevenly is near; ``jaccard_melodia16k`` minus
this is what timing costs.

References
----------
Sakoe & Chiba, "Dynamic programming algorithm optimization for spoken word recognition", IEEE
TASSP 1978.
"""

import numpy as np

from timbrebench.benchmarks.metrics import pitch
from timbrebench.benchmarks.metrics.pairs import cut_to_shorter
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import PairMetric
from timbrebench.core.records import Clip

EVERY = 4  # frames
BAND = 0.1  # of the length that the path may stray from the diagonal


class PitchDtw(PairMetric):
    """Mean Jaccard distance of frames along the cheapest alignment."""

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        ref, est = cut_to_shorter(reference, estimate)
        if len(ref) < pitch.FRAME:
            raise CannotMeasure(f"{len(ref)} samples are shorter than a frame of {pitch.FRAME}")
        rolls = (pitch.melodia16k(samples)[::EVERY] for samples in (ref, est))
        return {"pitch_dtw": aligned_distance(*rolls)}


def aligned_distance(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Piano rolls [T, P] bool → the mean distance along the cheapest path."""
    import librosa

    costs = jaccard_matrix(reference, estimate)
    _, path = librosa.sequence.dtw(
        C=costs, global_constraints=True, band_rad=max(BAND, 2 / len(costs))
    )
    return float(costs[path[:, 0], path[:, 1]].mean())


def jaccard_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Piano rolls [T, P], [U, P] bool → distances of frames [T, U]."""
    common = a.astype(np.float32) @ b.T.astype(np.float32)
    either = a.sum(axis=1)[:, None] + b.sum(axis=1) - common
    return np.where(either > 0, 1 - common / np.maximum(either, 1), 0.0)
