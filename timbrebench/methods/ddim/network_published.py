"""The network of Pouya Mehr et al.: that of the Keras DDIM example, with more attention."""

# Shapes: B batch, C channels, H mel bands, W frames.

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timbrebench.methods.diffusion.embedding import Fourier
from timbrebench.methods.diffusion.keras_blocks import Attention, Down, Up
from timbrebench.methods.diffusion.unet import zeroed

EMBEDDING = 32  # of the noise variance: 16 frequencies from 1 to 1000


class PublishedUNet(nn.Module):
    """x_t [B, 1, H, W], level [B], condition [B, C', H, W] or none → [B, 1, H, W].

    H and W divide by 2^(levels − 1). ``widths``: channels by level, the bottleneck last;
    ``depth``: residual blocks a level, each way; ``condition_channels``: C'. Attention is over
    all places, also of the full image: at 128×256 that is work for a GPU.
    """

    def __init__(self, widths: Sequence[int], depth: int, condition_channels: int = 0) -> None:
        super().__init__()
        first = widths[0]
        self.fourier = Fourier(EMBEDDING, 1.0, 1000.0)
        self.first = nn.Conv2d(1 + condition_channels, first, 1)
        down = zip([first + EMBEDDING, *widths[:-2]], widths[:-1], strict=True)
        self.down = nn.ModuleList(Down(i, o, depth) for i, o in down)
        self.middle = Down(widths[-2], widths[-1], depth)
        up = zip(widths[:0:-1], widths[-2::-1], strict=True)
        self.up = nn.ModuleList(Up(i, o, depth) for i, o in up)
        self.attention = nn.ModuleList(Attention(width) for width in widths[-2::-1])
        self.last = zeroed(nn.Conv2d(first, 1, 1))

    def forward(self, x: Tensor, level: Tensor, condition: Tensor | None = None) -> Tensor:
        variance = (level * (math.pi / 2)).sin().square()
        waves = self.fourier(variance)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        h = self.first(x if condition is None else torch.cat([x, condition], dim=1))
        h = torch.cat([h, waves.to(h.dtype)], dim=1)
        left: list[Tensor] = []
        for layer in self.down:
            h = F.avg_pool2d(layer(h, left), 2)
        h = self.middle(h, [])
        for layer, attend in zip(self.up, self.attention, strict=True):
            h = layer(F.interpolate(h, scale_factor=2, mode="bilinear"), left)
            h = attend(h)
        return self.last(h)
