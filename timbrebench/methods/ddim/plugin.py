"""What ddim is."""

from dataclasses import dataclass

from timbrebench.core.interfaces import MethodInfo, Span
from timbrebench.core.options import option


@dataclass(frozen=True)
class Options:
    """Of the unconditional diffusion."""

    variant: str = option(
        "default",
        "published: the paper's network, after the Keras DDIM example, and its optimiser",
        choices=("default", "published"),
    )
    seconds: float = option(5.12, "of a training clip", low=0.32, high=60)
    context: bool = option(
        False, "the clip before is a condition: longer music is made clip by clip"
    )
    context_drop: float = option(
        0.25, "share of examples without the clip before, where it is a condition", low=0, high=1
    )
    objective: str = option("x0", "what the network predicts", choices=("v", "x0", "noise"))
    loss: str = option("l2", "of the prediction", choices=("l1", "l2"))
    weighting: str = option(
        "snr+1", "of the loss over noise levels", choices=("none", "min-snr", "snr+1")
    )
    min_signal_rate: float = option(
        0.0, "at the end, where sampling begins; above 0 for objective noise", low=0, high=0.5
    )
    max_signal_rate: float = option(1.0, "at the start, where sampling ends", low=0.6, high=1)
    widths: tuple[int, ...] = option(
        (24, 48, 64, 96), "channels by level, multiples of 8; the last of the bottleneck", low=8
    )
    block_depth: int = option(1, "residual blocks a level, each way", low=1, high=8)
    patch: int = option(
        4, "side of the squares of pixels that are taken as channels (published: 1)", low=1, high=16
    )
    batch: int = option(4, "examples a step", low=1)
    lr: float = option(1.5e-3, "highest learning rate", low=0)
    weight_decay: float = option(1e-2, "of AdamW", low=0)
    steps: int = option(50, "sampling steps S", affects="sampling", low=1)
    sampler: str = option(
        "ddpm", "how noise is removed", affects="sampling", choices=("ddim", "ddpm", "dpmpp")
    )
    eta: float = option(
        0.0, "fresh noise of the sampler ddim, 0 to 1", affects="sampling", low=0, high=1
    )
    overlap: int = option(
        64,
        "frames that neighbouring windows of longer music share; unused with context",
        affects="sampling",
        low=0,
    )


INFO = MethodInfo(
    "ddim",
    "music of an instrument from pure noise; one model an instrument",
    "timbrebench.methods.ddim.model:Ddim",
    Options,
    presets={
        "quick": {},
        "paper": {
            "variant": "published",
            "objective": "noise",
            "weighting": "none",
            "min_signal_rate": 0.195,
            "max_signal_rate": 0.933,
            "widths": (32, 64, 96, 128),
            "block_depth": 4,
            "patch": 1,
            "batch": 16,
            "lr": 3.3107e-5,
            "weight_decay": 0.06881,
            "steps": 1000,
            "sampler": "ddim",
        },
    },
    source="Pouya Mehr et al., unconditional DDIM music synthesis, after the Keras DDIM example",
    kinds=("generate",),
    search={
        "lr": Span(1e-5, 1e-2, log=True),
        "weight_decay": Span(1e-4, 1e-1, log=True),
        "min_signal_rate": Span(0.0, 0.2),
        "max_signal_rate": Span(0.9, 1.0),
        "block_depth": Span(1, 4),
    },
    supervision="unpaired",
    shares=("timbrebench.methods.diffusion",),
)
