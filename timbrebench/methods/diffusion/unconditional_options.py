"""What cross and double have in common to set: they share what they train. Light.

The defaults predict x₀. A narrow network cannot pass squares of 4×4 pixels on whole, and v and
noise ask it to hand the noise through: trained for the same FLOPs, v ended with 1.5 times the
error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timbrebench.core.options import option


@dataclass(frozen=True)
class InstrumentOptions:
    """Of one instrument's model, and of its sampling."""

    variant: str = option(
        "default",
        "published: the U-Net of audio-diffusion, by diffusers, and its optimiser",
        choices=("default", "published"),
    )
    mel: str = option(
        "soundstream", "how audio becomes a picture", choices=("soundstream", "audio_diffusion")
    )
    frames: int | None = option(None, "of a training crop; none: the mel's own", low=8)
    objective: str = option("x0", "what the network predicts", choices=("v", "x0", "noise"))
    loss: str = option("l2", "of the prediction", choices=("l1", "l2"))
    weighting: str = option(
        "snr+1", "of the loss over noise levels", choices=("none", "min-snr", "snr+1")
    )
    schedule: str = option(
        "cosine",
        "of the noise: cosine, which ends in pure noise; linear in β over 500 steps; "
        "linear-zero, the same made to end in pure noise",
        choices=("cosine", "linear", "linear-zero"),
    )
    noise_shift: float = option(
        1.0, "how much stronger the noise is than on the plain schedule", low=0.1, high=100
    )
    widths: tuple[int, ...] = option((24, 48, 96), "channels by level, multiples of 8", low=8)
    blocks: int = option(1, "residual blocks a level", low=1)
    patch: int = option(
        4, "side of the squares of pixels that are taken as channels (published: 1)", low=1
    )
    batch: int = option(4, "examples a step", low=1)
    lr: float = option(2e-3, "highest learning rate", low=0)
    steps: int = option(50, "sampling steps from pure noise", affects="sampling", low=1)
    sampler: str = option(
        "ddpm", "how noise is removed", affects="sampling", choices=("ddim", "ddpm", "dpmpp")
    )
    overlap: int = option(
        32, "frames over which slices are cross-faded", affects="sampling", low=0, high=64
    )


PAPER: Mapping[str, Any] = {
    "variant": "published",
    "mel": "audio_diffusion",
    "frames": 216,
    "objective": "noise",
    "loss": "l1",
    "weighting": "none",
    "noise_shift": 1.0,
    "widths": (128, 128, 256, 256, 512, 512),
    "blocks": 2,
    "patch": 1,
    "batch": 16,
    "lr": 1e-4,
    "sampler": "ddim",
}
