"""The network of teticio/audio-diffusion, which is diffusers' own U-Net: 113.7 M parameters."""

# Shapes: B batch, H mel bands, W frames.

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from timbrebench.core.errors import BenchError

STEPS = 500  # T, of which the network is told one: the noise level 0..1 becomes 0..STEPS


class PublishedUNet(nn.Module):
    """x [B, 1, H, W], level [B] → [B, 1, H, W]; H divides by 2^(levels − 1), W is padded to.

    ``widths``: channels of each level, multiples of 32; ``blocks``: a level's. Attention is in
    the last level but one. BenchError where diffusers is not installed.
    """

    def __init__(self, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        plain = len(widths) - 2  # levels before the one with attention
        self.multiple = 2 ** (len(widths) - 1)
        self.unet = _unet2d()(
            in_channels=1,
            out_channels=1,
            layers_per_block=blocks,
            block_out_channels=tuple(widths),
            down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "AttnUpBlock2D") + ("UpBlock2D",) * plain,
        )

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        width = x.shape[-1]
        padded = F.pad(x, (0, -width % self.multiple), value=-1.0)  # -1: silence
        answer: Tensor = self.unet(padded, level * STEPS).sample
        return answer[..., :width]


def _unet2d() -> Any:
    try:
        from diffusers import UNet2DModel
    except ImportError:
        raise BenchError(
            "variant=published needs diffusers, which is not installed.",
            hint="pip install 'timbrebench[published]'",
        ) from None
    return UNet2DModel
