"""The network of Comanducci et al. 2023, as their code has it: 36.15 M parameters."""

# Shapes: B batch, C channels, H mel bands, W frames.

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timbrebench.methods.diffusion.embedding import Fourier
from timbrebench.methods.diffusion.keras_blocks import Attention, Down, Up
from timbrebench.methods.diffusion.unet import zeroed

EMBEDDING = 32  # of the noise variance: 16 frequencies from 1 to 1000


class PublishedUNet(nn.Module):
    """x_t [B, 1, H, W], level [B], condition [B, 1, H, W] → [B, 1, H, W].

    H and W divide by 2 to the power of the levels above the bottleneck, ``widths[-1]``.
    """

    def __init__(self, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        first, last, bottleneck = widths[0], widths[-2], widths[-1]
        self.fourier = Fourier(EMBEDDING, 1.0, 1000.0)
        self.first = nn.Conv2d(2, first, 1)
        inputs = [first + EMBEDDING, *widths[:-2]]
        outputs = widths[:-1]
        self.down = nn.ModuleList(Down(i, o, blocks) for i, o in zip(inputs, outputs, strict=True))
        self.attend_down = Attention(last)
        self.middle = Down(last, bottleneck, blocks)
        self.attend_middle = Attention(bottleneck)
        self.up = nn.ModuleList(Up(i, o, blocks) for i, o in pairwise(widths[::-1]))
        self.attend_up = Attention(last)
        self.last = zeroed(nn.Conv2d(first, 1, 1))

    def forward(self, x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        variance = (level * (math.pi / 2)).sin().square()
        waves = self.fourier(variance)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        h = self.first(torch.cat([x, condition], dim=1))
        h = torch.cat([h, waves.to(h.dtype)], dim=1)
        left: list[Tensor] = []
        for layer in self.down:
            h = F.avg_pool2d(layer(h, left), 2)
        h = self.attend_middle(self.middle(self.attend_down(h), []))
        for i, layer in enumerate(self.up):
            h = layer(F.interpolate(h, scale_factor=2, mode="bilinear"), left)
            if i == 0:
                h = self.attend_up(h)
        return self.last(h)
