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


class Down(nn.Module):
    """Residual blocks; each leaves its output for the way up."""

    def __init__(self, channels_in: int, channels: int, blocks: int) -> None:
        super().__init__()
        inputs = [channels_in, *[channels] * (blocks - 1)]
        self.blocks = nn.ModuleList(Residual(i, channels) for i in inputs)

    def forward(self, x: Tensor, left: list[Tensor]) -> Tensor:
        for block in self.blocks:
            x = block(x)
            left.append(x)
        return x


class Up(nn.Module):
    """Residual blocks; each takes, beside its input, what one on the way down left."""

    def __init__(self, channels_in: int, channels: int, blocks: int) -> None:
        super().__init__()
        inputs = [channels_in, *[channels] * (blocks - 1)]
        self.blocks = nn.ModuleList(Residual(i + channels, channels) for i in inputs)

    def forward(self, x: Tensor, left: list[Tensor]) -> Tensor:
        for block in self.blocks:
            x = block(torch.cat([x, left.pop()], dim=1))
        return x


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
