"""What the metrics of a (reference, estimate) pair have in common: checks and cutting."""

import numpy as np

from timbrebench.core.audio import MIN_SECONDS
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.records import Clip

MIN_SHARE = 0.95  # of the reference that an estimate must last


def samples_of(reference: Clip, estimate: Clip) -> tuple[np.ndarray, np.ndarray]:
    """The samples of both, if both are of one rate, not empty, and finite."""
    if reference.rate != estimate.rate:
        raise ValueError(f"clips at {reference.rate} and {estimate.rate} Hz")
    for side, clip in (("reference", reference), ("estimate", estimate)):
        if not len(clip.samples):
            raise CannotMeasure(f"the {side} is empty")
        if not np.isfinite(clip.samples).all():
            raise CannotMeasure(f"the {side} has NaN or infinite samples")
    return reference.samples, estimate.samples


def not_too_short(reference: Clip, estimate: Clip) -> tuple[np.ndarray, np.ndarray]:
    """:func:`samples_of` both, if they last as long as audio from outside must."""
    for side, clip in (("reference", reference), ("estimate", estimate)):
        if 0 < clip.seconds < MIN_SECONDS:
            raise CannotMeasure(
                f"the {side} lasts {clip.seconds:.3g} s, at least {MIN_SECONDS:g} are needed"
            )
    return samples_of(reference, estimate)


def cut_to_shorter(reference: Clip, estimate: Clip) -> tuple[np.ndarray, np.ndarray]:
    """The samples of both over the length of the shorter, if that is nearly the reference's."""
    ref, est = samples_of(reference, estimate)
    if len(est) < MIN_SHARE * len(ref):
        raise CannotMeasure(
            f"the estimate lasts {estimate.seconds:.2f} s, under {MIN_SHARE:.0%} of the "
            f"reference's {reference.seconds:.2f} s"
        )
    length = min(len(ref), len(est))
    return ref[:length], est[:length]
