"""The spectral envelope of a clip, led towards that of an instrument.

An envelope is the mean of each band over the frames that sound, smoothed over bands. Noise that
drowns a melody leaves it standing, because it is the same in every frame: the target's model then
plays on with the source's tone.
"""

# Shapes: M mel bands, T frames.

import numpy as np
import torch
from torch import Tensor

BANDS = 32  # what is left of the bands: the width of the smoothing is M / BANDS
MOST = 3.0  # the greatest factor of a band
SOUNDING = 0.25  # mean height of a frame that is no rest, relative to the greatest


def envelope(normalised: Tensor) -> Tensor:
    """A normalised log-mel [M, T] in -1..1 → [M] in 0..1, where 0 is silence."""
    frames = (normalised.clamp(-1, 1) + 1) / 2  # [M, T]
    of_frames = frames.mean(dim=0)
    heights = frames[:, of_frames >= SOUNDING * of_frames.max()].mean(dim=-1)
    width = len(heights) / BANDS
    reach = int(np.ceil(3 * width))
    offsets = torch.arange(-reach, reach + 1, dtype=heights.dtype)
    kernel = torch.exp(-0.5 * (offsets / width).square())
    padded = torch.nn.functional.pad(heights[None], (reach, reach), mode="replicate")
    return torch.nn.functional.conv1d(padded[None], (kernel / kernel.sum())[None, None])[0, 0]


def lead(normalised: Tensor, target: Tensor, strength: float) -> Tensor:
    """[M, T], its envelope led towards ``target`` [M] by a ``strength`` of 0 (not at all) to 1.

    Each band is scaled, silence fixed: silent frames stay silent.
    """
    own = envelope(normalised)
    factor = (target / own.clamp(min=1e-6)).clamp(1 / MOST, MOST)
    scaled = (normalised + 1) * factor[:, None] - 1
    return normalised.lerp(scaled.clamp(-1, 1), strength)
