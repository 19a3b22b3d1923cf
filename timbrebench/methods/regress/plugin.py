"""What regress is."""

from dataclasses import dataclass

from timbrebench.core.interfaces import MethodInfo
from timbrebench.core.options import option


@dataclass(frozen=True)
class Options:
    """Of the regression: palette's, less what belongs to diffusion."""

    widths: tuple[int, ...] = option((24, 48, 96, 128), "channels by level, multiples of 8", low=8)
    blocks: int = option(1, "residual blocks a level", low=1)
    patch: int = option(2, "side of the squares of pixels that are taken as channels", low=1)
    batch: int = option(8, "examples a step", low=1)
    lr: float = option(1e-3, "highest learning rate", low=0)
    overlap: int = option(
        32, "frames over which slices are cross-faded", affects="sampling", low=0, high=64
    )


INFO = MethodInfo(
    "regress",
    "palette's network trained as plain L1 regression, without diffusion",
    "timbrebench.methods.regress.model:Regress",
    Options,
    presets={"quick": {}, "paper": {"widths": (64, 128, 256, 512), "blocks": 4, "batch": 16}},
    supervision="paired",
    control=True,
    shares=("timbrebench.methods.diffusion",),
)
