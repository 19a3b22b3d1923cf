"""A small residual U-Net for images, told of the noise level in every block."""

# Shapes: B batch, C channels, H mel bands, W frames; E size of the embedding.

from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timbrebench.methods.diffusion.embedding import Fourier

ATTEND_UP_TO = 16  # mel bands: attention on a larger image costs too much

Layer = TypeVar("Layer", bound=nn.Module)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(8, channels // 4), channels)


def zeroed(layer: Layer) -> Layer:
    """A layer that starts silent, so that its block starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class Residual(nn.Module):
    """x [B, C, H, W], embedding [B, E] → [B, C', H, W]: two convolutions, FiLM between them."""

    def __init__(self, channels_in: int, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm1 = _norm(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.film = zeroed(nn.Linear(embedding, 2 * channels))  # scale and shift
        self.norm2 = _norm(channels)
        self.conv2 = zeroed(nn.Conv2d(channels, channels, 3, padding=1))
        same = channels_in == channels
        self.skip = nn.Identity() if same else nn.Conv2d(channels_in, channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)  # [B, C', 1, 1]
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.norm2(h) * (1 + scale) + shift
        return self.skip(x) + self.conv2(F.silu(h))


def heads_of(channels: int, head: int) -> int:
    """How many heads of about ``head`` channels the channels divide into."""
    most = max(1, channels // head)
    return next(count for count in range(most, 0, -1) if channels % count == 0)


class Attention(nn.Module):
    """[B, C, H, W] → the same: each place looks at every other one."""

    def __init__(self, channels: int, head: int = 32) -> None:
        super().__init__()
        self.heads = heads_of(channels, head)
        self.norm = _norm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = zeroed(nn.Linear(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        B, C, H, W = x.shape
        places = self.norm(x).flatten(2).transpose(1, 2)  # [B, H·W, C]
        qkv = self.qkv(places).view(B, H * W, 3, self.heads, C // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [B, heads, H·W, C / heads]
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, H * W, C)
        return x + self.out(h).transpose(1, 2).view(B, C, H, W)


class Block(nn.Module):
    """A residual block, and attention where the image is small."""

    def __init__(self, channels_in: int, channels: int, embedding: int, attend: bool) -> None:
        super().__init__()
        self.residual = Residual(channels_in, channels, embedding)
        self.attention = Attention(channels) if attend else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.attention(self.residual(x, embedding))


class UNet(nn.Module):
    """x [B, C, H, W], level [B] → [B, out_channels, H, W]; H and W divide by patch·2^(levels − 1).

    ``widths``: channels of each level, the largest image first; ``blocks``: a level's on the way
    down (one more on the way up); ``size``: H, to place attention; ``patch``: squares of
    patch×patch pixels are taken as channels (space to depth); ``condition_channels``: of an image
    that is laid beside x; ``vector``: size of a further condition, joined to the embedding.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int],
        *,
        blocks: int = 2,
        size: int = 128,
        patch: int = 1,
        condition_channels: int = 0,
        vector: int = 0,
    ) -> None:
        super().__init__()
        E = 4 * widths[0]
        attend = [size // (patch * 2**level) <= ATTEND_UP_TO for level in range(len(widths))]
        self.fourier = Fourier(32)
        self.embed = nn.Sequential(nn.Linear(32, E), nn.SiLU(), nn.Linear(E, E))
        self.embed_vector = nn.Linear(vector, E) if vector else None

        self.split = nn.PixelUnshuffle(patch)
        channels_in = (in_channels + condition_channels) * patch**2
        self.first = nn.Conv2d(channels_in, widths[0], 3, padding=1)
        self.down, skips = self._way_down(widths, blocks, E, attend)
        self.middle = Block(widths[-1], widths[-1], E, attend=attend[-1])
        self.up = self._way_up(widths, blocks, E, attend, skips)
        self.norm = _norm(widths[0])
        self.last = zeroed(nn.Conv2d(widths[0], out_channels * patch**2, 3, padding=1))
        self.join = nn.PixelShuffle(patch)

    @staticmethod
    def _way_down(
        widths: Sequence[int], blocks: int, E: int, attend: Sequence[bool]
    ) -> tuple[nn.ModuleList, list[int]]:
        """Its layers, and the channels of what each leaves for the way up."""
        layers, skips, channels = nn.ModuleList(), [widths[0]], widths[0]
        for level, width in enumerate(widths):
            if level > 0:
                layers.append(nn.Conv2d(channels, channels, 3, stride=2, padding=1))
                skips.append(channels)
            for _ in range(blocks):
                layers.append(Block(channels, width, E, attend[level]))
                channels = width
                skips.append(channels)
        return layers, skips

    @staticmethod
    def _way_up(
        widths: Sequence[int], blocks: int, E: int, attend: Sequence[bool], skips: list[int]
    ) -> nn.ModuleList:
        """One block for each thing that the way down left; an upsampling between levels."""
        layers, left, channels = nn.ModuleList(), list(skips), widths[-1]
        for level, width in reversed(list(enumerate(widths))):
            for _ in range(blocks + 1):
                joined = channels + left.pop()
                layers.append(Block(joined, width, E, attend[level]))
                channels = width
            if level > 0:
                layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
        return layers

    def forward(
        self,
        x: Tensor,
        level: Tensor,
        condition: Tensor | None = None,
        vector: Tensor | None = None,
    ) -> Tensor:
        embedding = self.embed(self.fourier(level))  # [B, E]
        if self.embed_vector is not None and vector is not None:
            embedding = embedding + self.embed_vector(vector)
        embedding = F.silu(embedding)

        image = x if condition is None else torch.cat([x, condition], dim=1)
        h = self.first(self.split(image))
        left = [h]
        for layer in self.down:
            h = layer(h, embedding) if isinstance(layer, Block) else layer(h)
            left.append(h)
        h = self.middle(h, embedding)
        for layer in self.up:
            h = (
                layer(torch.cat([h, left.pop()], dim=1), embedding)
                if isinstance(layer, Block)
                else layer(h)
            )
        return self.join(self.last(F.silu(self.norm(h))))
