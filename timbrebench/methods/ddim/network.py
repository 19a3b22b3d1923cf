"""A small residual U-Net that looks about after every up block."""

# Shapes: B batch, C channels, H mel bands, W frames, K places that are looked at; E size of the
# embedding. Behind the patches, H and W count patches.

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timbrebench.methods.diffusion.embedding import Fourier
from timbrebench.methods.diffusion.unet import Residual, heads_of, zeroed

ROWS = 8  # of the image that is looked at: a larger one is averaged down to it
HEAD = 32  # channels of an attention head


class PooledAttention(nn.Module):
    """[B, C, H, W] → the same: each place looks at the whole image, averaged to ``ROWS`` rows.

    Full attention takes 137 GFLOP at 128×256 places of 32 channels, and at 32×64 still more than
    all the rest of the network. Keys and values on a coarser grid (Wang et al. 2021, "Pyramid
    vision transformer") cost a tenth of the rest. At ``ROWS`` rows and fewer it is full.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = heads_of(channels, HEAD)
        self.norm = nn.GroupNorm(min(8, channels // 4), channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.kv = nn.Conv2d(channels, 2 * channels, 1)
        self.out = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        coarse = F.avg_pool2d(h, max(1, h.shape[2] // ROWS))
        k, v = map(self._split, self.kv(coarse).chunk(2, dim=1))  # [B, heads, K, C / heads]
        h = F.scaled_dot_product_attention(self._split(self.q(h)), k, v)
        return x + self.out(h.transpose(2, 3).reshape(x.shape))

    def _split(self, h: Tensor) -> Tensor:
        """[B, C, H, W] → [B, heads, H·W, C / heads]."""
        return h.flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)


class Down(nn.Module):
    """Residual blocks; each leaves its output for the way up."""

    def __init__(self, channels_in: int, channels: int, depth: int, embedding: int) -> None:
        super().__init__()
        inputs = [channels_in, *[channels] * (depth - 1)]
        self.blocks = nn.ModuleList(Residual(i, channels, embedding) for i in inputs)

    def forward(self, x: Tensor, embedding: Tensor, left: list[Tensor]) -> Tensor:
        for block in self.blocks:
            x = block(x, embedding)
            left.append(x)
        return x


class Up(nn.Module):
    """Residual blocks, each of which takes what one on the way down left; then attention."""

    def __init__(self, channels_in: int, channels: int, depth: int, embedding: int) -> None:
        super().__init__()
        inputs = [channels_in, *[channels] * (depth - 1)]
        self.blocks = nn.ModuleList(Residual(i + channels, channels, embedding) for i in inputs)
        self.attention = PooledAttention(channels)

    def forward(self, x: Tensor, embedding: Tensor, left: list[Tensor]) -> Tensor:
        for block in self.blocks:
            x = block(torch.cat([x, left.pop()], dim=1), embedding)
        return self.attention(x)


class AttendingUNet(nn.Module):
    """x_t [B, 1, H, W], level [B], condition [B, C', H, W] or none → [B, 1, H, W].

    H is ``size``; H and W divide by ``patch`` · 2^(levels − 1). ``widths``: channels by level,
    the largest image first, the bottleneck last; ``depth``: residual blocks a level, each way;
    ``condition_channels``: C'.
    """

    def __init__(
        self, widths: Sequence[int], depth: int, size: int, patch: int, condition_channels: int = 0
    ) -> None:
        super().__init__()
        E, first = 4 * widths[0], widths[0]
        self.fourier = Fourier(32)
        self.embed = nn.Sequential(nn.Linear(32, E), nn.SiLU(), nn.Linear(E, E))
        self.split = nn.PixelUnshuffle(patch)
        self.first = nn.Conv2d((1 + condition_channels) * patch**2, first, 3, padding=1)
        # Convolutions cannot tell a bass from a treble: every band has a vector of its own.
        self.bands = nn.Parameter(0.02 * torch.randn(1, first, size // patch, 1))
        levels = list(zip([first, *widths[:-2]], widths[:-1], strict=True))
        self.down = nn.ModuleList(Down(i, o, depth, E) for i, o in levels)
        self.middle = Down(widths[-2], widths[-1], depth, E)
        levels = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(Up(i, o, depth, E) for i, o in levels)
        self.norm = nn.GroupNorm(min(8, first // 4), first)
        self.last = zeroed(nn.Conv2d(first, patch**2, 3, padding=1))
        self.join = nn.PixelShuffle(patch)

    def forward(self, x: Tensor, level: Tensor, condition: Tensor | None = None) -> Tensor:
        embedding = F.silu(self.embed(self.fourier(level)))  # [B, E]
        image = x if condition is None else torch.cat([x, condition], dim=1)
        h = self.first(self.split(image)) + self.bands
        left: list[Tensor] = []
        for layer in self.down:
            h = F.avg_pool2d(layer(h, embedding, left), 2)
        h = self.middle(h, embedding, [])
        for layer in self.up:
            h = layer(F.interpolate(h, scale_factor=2, mode="nearest"), embedding, left)
        return self.join(self.last(F.silu(self.norm(h))))
