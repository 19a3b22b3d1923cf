"""What palette is."""

from dataclasses import dataclass

from timbrebench.core.interfaces import MethodInfo
from timbrebench.core.options import option


@dataclass(frozen=True)
class Options:
    """Of the paired diffusion."""

    variant: str = option(
        "default",
        "published: the paper's network; each slice has its own range, the source's at inference",
        choices=("default", "published"),
    )
    objective: str = option("x0", "what the network predicts", choices=("v", "x0", "noise"))
    loss: str = option("l1", "of the prediction", choices=("l1", "l2"))
    weighting: str = option("none", "of the loss over noise levels", choices=("none", "min-snr"))
    noise_shift: float | None = option(
        None,
        "how much stronger the noise is than on the plain schedule; "
        "none: 8 for x0, 1 for v and noise",
        low=0.1,
        high=100,
    )
    widths: tuple[int, ...] = option((24, 48, 96, 128), "channels by level, multiples of 8", low=8)
    blocks: int = option(1, "residual blocks a level", low=1)
    patch: int = option(2, "side of the squares of pixels that are taken as channels", low=1)
    batch: int = option(8, "examples a step", low=1)
    lr: float = option(1e-3, "highest learning rate", low=0)
    steps: int = option(10, "sampling steps", affects="sampling", low=1)
    sampler: str = option(
        "ddim", "how noise is removed", affects="sampling", choices=("ddim", "ddpm", "dpmpp")
    )
    overlap: int = option(
        32, "frames over which slices are cross-faded", affects="sampling", low=0, high=64
    )


INFO = MethodInfo(
    "palette",
    "the target's mel is denoised beside the source's; one model a direction",
    "timbrebench.methods.palette.model:Palette",
    Options,
    presets={
        "quick": {},
        "paper": {
            "variant": "published",
            "objective": "noise",
            "widths": (64, 128, 256, 512),
            "blocks": 4,
            "patch": 1,
            "batch": 16,
            "lr": 2e-5,
            "steps": 20,
            "overlap": 0,
        },
    },
    source="Comanducci, Antonacci & Sarti, ISMIR 2023, arXiv 2307.09865",
    supervision="paired",
    shares=("timbrebench.methods.diffusion",),
)
