"""Blocks of the Keras DDIM example, and the attention that its descendants add to them."""

# Shapes: B batch, C channels, H mel bands, W frames.

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timbrebench.methods.diffusion.unet import zeroed

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
        return x + self.out(h).transpose(1, 2).reshape(x.shape)


class Down(nn.Module):
    """Residual blocks; each leaves its output for the way up."""

    def __init__(self, channels_in: int, channels: int, depth: int) -> None:
        super().__init__()
        inputs = [channels_in, *[channels] * (depth - 1)]
        self.blocks = nn.ModuleList(Residual(i, channels) for i in inputs)

    def forward(self, x: Tensor, left: list[Tensor]) -> Tensor:
        for block in self.blocks:
            x = block(x)
            left.append(x)
        return x


class Up(nn.Module):
    """Residual blocks; each takes, beside its input, what one on the way down left."""

    def __init__(self, channels_in: int, channels: int, depth: int) -> None:
        super().__init__()
        inputs = [channels_in, *[channels] * (depth - 1)]
        self.blocks = nn.ModuleList(Residual(i + channels, channels) for i in inputs)

    def forward(self, x: Tensor, left: list[Tensor]) -> Tensor:
        for block in self.blocks:
            x = block(torch.cat([x, left.pop()], dim=1))
        return x
