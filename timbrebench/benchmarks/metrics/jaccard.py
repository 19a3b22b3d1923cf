"""Pitch Jaccard distance: how much of the music's pitches a transfer lost or invented.

Conventions
-----------
Per frame, A is the set of pitches (semitones) in the reference and B that in the estimate, and
the frame's distance is 1 - |A∩B| / |A∪B|. A frame in which neither has a pitch counts 0, and the
value is the mean over frames; ``_voiced`` leaves such frames out, so that rests do not improve
it. ``_precision`` is the share of the estimate's pitches, over all frames, that the reference has
too; ``_recall`` that of the reference's which the estimate has: silence costs recall alone,
invented notes precision. ``voiced_fraction`` is the share of frames in which the reference has a
pitch. A constant signal has no pitches. Copying the source scores well here: never read it
without a measure of timbre beside it.

Of a generated pair the first half is the reference, and ``voiced_fraction`` is its share. The
distance is near 0 where the halves play the same notes and near 1 where they do not, related or
not: melody and accompaniment of one real piece are as far apart as pieces are. Read it beside the
controls ``oracle`` (real pairs) and ``shuffled`` (halves of different pieces).

References
----------
Cífka et al., "Self-supervised VQ-VAE for one-shot music style transfer", ICASSP 2021 (cifka8k);
Comanducci et al., ISMIR 2023 (melodia16k).
"""

import numpy as np

from timbrebench.benchmarks.metrics import pitch
from timbrebench.benchmarks.metrics.pairs import cut_to_shorter, samples_of
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import PairMetric
from timbrebench.core.records import Clip


class JaccardMelodia16k(PairMetric):
    """As DiffTransfer and Music-STAR report it. Both are cut to the shorter, and the row
    ``_cut`` tells how many seconds of the longer were left out."""

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        ref, est = cut_to_shorter(reference, estimate)
        _check_length(ref)
        rolls = pitch.melodia16k(ref), pitch.melodia16k(est)
        cut = (max(len(reference.samples), len(estimate.samples)) - len(ref)) / reference.rate
        return {
            **_distances("jaccard_melodia16k", *rolls),
            "jaccard_melodia16k_cut": cut,
            "voiced_fraction": float(rolls[0].any(axis=1).mean()),
        }


class JaccardCifka8k(PairMetric):
    """As ss-vq-vae reports it. The estimate is padded with silence or cut to the reference."""

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        ref, est = samples_of(reference, estimate)
        _check_length(ref)
        _check_length(est)  # else it is the padding that would be measured
        est = np.pad(est[: len(ref)], (0, max(len(ref) - len(est), 0)))
        return _distances("jaccard_cifka8k", pitch.cifka8k(ref), pitch.cifka8k(est))


def frame_distances(reference: np.ndarray, estimate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Piano rolls [T, P] bool → (distance [T], whether either has a pitch [T])."""
    common = (reference & estimate).sum(axis=1)
    either = (reference | estimate).sum(axis=1)
    voiced = either > 0
    return voiced - common / np.maximum(either, 1), voiced


def _distances(name: str, reference: np.ndarray, estimate: np.ndarray) -> dict[str, float]:
    """The mean over frames, and that over voiced ones if there are any; precision and recall
    where there is what they are shares of."""
    distances, voiced = frame_distances(reference, estimate)
    values = {name: float(distances.mean())}
    if voiced.any():
        values[f"{name}_voiced"] = float(distances[voiced].mean())
    common = int((reference & estimate).sum())
    if estimate.any():
        values[f"{name}_precision"] = common / int(estimate.sum())
    if reference.any():
        values[f"{name}_recall"] = common / int(reference.sum())
    return values


def _check_length(samples: np.ndarray) -> None:
    if len(samples) < pitch.FRAME:
        raise CannotMeasure(f"{len(samples)} samples are shorter than a frame of {pitch.FRAME}")
