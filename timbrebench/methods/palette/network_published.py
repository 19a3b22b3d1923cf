"""The network of Comanducci et al. 2023, as their code has it: 36.15 M parameters."""

# Shapes: B batch, C channels, H mel bands, W frames.

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timbrebench.methods.diffusion.embedding import Fourier
from timbrebench.methods.diffusion.unet import zeroed

EMBEDDING = 32  # of the noise variance: 16 frequencies from 1 to 1000
EPSILON = 1e-3  # of the norms, as in Keras


class Residual(nn.Module):
    """[B, C, H, W] → [B, C', H, W]: BatchNorm without scale and shift, two convolutions."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels_in, eps=EPSILON, momentum=0.01, affine=False)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        same = channels_in == channels
        self.skip = nn.Identity() if same else nn.Conv2d(channels_in, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(x) + self.conv2(F.silu(self.conv1(self.norm(x))))


class Attention(nn.Module):
    """[B, C, H, W] → the same: one head over all places; starts silent."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels, eps=EPSILON)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = zeroed(nn.Linear(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        places = self.norm(x).flatten(2).transpose(1, 2)  # [B, H·W, C]
        q, k, v = self.qkv(places)[:, None].chunk(3, dim=-1)  # each [B, 1, H·W, C]
        h = F.scaled_dot_product_attention(q, k, v)[:, 0]
        return x + self.out(h).transpose(1, 2).view_as(x)


class PublishedUNet(nn.Module):
    """x_t [B, 1, H, W], level [B], condition [B, 1, H, W] → [B, 1, H, W].

    H and W divide by 2 to the power of the levels above the bottleneck, ``widths[-1]``.
    """

    def __init__(self, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        *levels, bottleneck = widths
        self.fourier = Fourier(EMBEDDING, 1.0, 1000.0)
        self.first = nn.Conv2d(2, levels[0], 1)
        inputs = [levels[0] + EMBEDDING, *levels[:-1]]
        self.down = nn.ModuleList(_down(i, o, blocks) for i, o in zip(inputs, levels, strict=True))
        self.attend_down = Attention(levels[-1])
        self.middle = nn.Sequential(*_down(levels[-1], bottleneck, blocks))
        self.attend_middle = Attention(bottleneck)
        self.up = nn.ModuleList(_up(i, o, blocks) for i, o in pairwise(widths[::-1]))
        self.attend_up = Attention(levels[-1])
        self.last = zeroed(nn.Conv2d(levels[0], 1, 1))

    def forward(self, x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        variance = (level * (math.pi / 2)).sin().square()
        waves = self.fourier(variance)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        h = self.first(torch.cat([x, condition], dim=1))
        h = torch.cat([h, waves.to(h.dtype)], dim=1)
        skips: list[Tensor] = []
        for blocks in self.down:
            for block in blocks:
                h = block(h)
                skips.append(h)
            h = F.avg_pool2d(h, 2)
        h = self.attend_middle(self.middle(self.attend_down(h)))
        for i, blocks in enumerate(self.up):
            h = F.interpolate(h, scale_factor=2, mode="bilinear")
            for block in blocks:
                h = block(torch.cat([h, skips.pop()], dim=1))
            if i == 0:
                h = self.attend_up(h)
        return self.last(h)


def _down(channels_in: int, channels: int, blocks: int) -> nn.ModuleList:
    inputs = [channels_in, *[channels] * (blocks - 1)]
    return nn.ModuleList(Residual(i, channels) for i in inputs)


def _up(channels_in: int, channels: int, blocks: int) -> nn.ModuleList:
    """Every block takes what its counterpart on the way down left, beside its input."""
    inputs = [channels_in, *[channels] * (blocks - 1)]
    return nn.ModuleList(Residual(i + channels, channels) for i in inputs)
