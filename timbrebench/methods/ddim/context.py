"""The clip before, as a condition of the next."""

# Shapes: M mel bands, S frames of a clip.

import numpy as np

CHANNELS = 2  # of the condition


def condition_of(before: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray:
    """A normalised clip [M, S], or none at the beginning → [2, M, S] float32.

    The clip is mirrored in time: what was heard last stands beside what comes first, within
    reach of a convolution. The second channel says whether there is a clip.
    """
    if before is None:
        return np.zeros((CHANNELS, *shape), np.float32)
    return np.stack([before[:, ::-1], np.ones(shape)]).astype(np.float32)
