"""The latent diffusion network: a residual U-Net that looks at style tokens by cross-attention.

Beside the tokens, a pooled style vector reaches every block by FiLM, with the noise level. Both
only add to the features, so that content survives them (the published network replaces).
"""

# Shapes: B batch, C channels, H×W latents (16×16), N style tokens, D their size, E embedding.

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timbrebench.methods.diffusion.embedding import Fourier
from timbrebench.methods.diffusion.unet import Attention, Residual


def silence(layer: nn.Module) -> None:
    """Makes a layer start by answering nothing."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class CrossAttention(nn.Module):
    """x [B, C, H, W] asks tokens [B, N, D]; what they say is added, at first nothing."""

    def __init__(self, channels: int, size: int, head: int = 32) -> None:
        super().__init__()
        self.heads = channels // head
        self.norm = nn.GroupNorm(8, channels)
        self.query = nn.Conv2d(channels, channels, 1)
        self.key_value = nn.Linear(size, 2 * channels)
        self.out = nn.Conv2d(channels, channels, 1)
        silence(self.out)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        B, C, H, W = x.shape
        q = self.query(self.norm(x)).view(B, self.heads, -1, H * W).transpose(-1, -2)
        k, v = (
            part.view(B, -1, self.heads, C // self.heads).transpose(1, 2)
            for part in self.key_value(tokens).chunk(2, dim=-1)
        )  # each [B, heads, N, C / heads]
        told = F.scaled_dot_product_attention(q, k, v)  # [B, heads, H·W, C / heads]
        return x + self.out(told.transpose(-1, -2).reshape(B, C, H, W))


class Block(nn.Module):
    """Convolutions with FiLM; where ``attend``, self-attention, then cross-attention."""

    def __init__(self, channels_in: int, channels: int, E: int, D: int, attend: bool) -> None:
        super().__init__()
        self.residual = Residual(channels_in, channels, E)
        self.self_attention = Attention(channels) if attend else None
        self.cross_attention = CrossAttention(channels, D) if attend else None

    def forward(self, x: Tensor, embedding: Tensor, tokens: Tensor) -> Tensor:
        x = self.residual(x, embedding)
        if self.self_attention is not None and self.cross_attention is not None:
            x = self.cross_attention(self.self_attention(x), tokens)
        return x


class UNet(nn.Module):
    """A block a level down, one in the middle, one a level up; attention below the first level."""

    def __init__(
        self, latent_dim: int, widths: Sequence[int], style_dim: int, content_dim: int = 0
    ) -> None:
        super().__init__()
        E, D, deep = 4 * widths[0], style_dim, widths[-1]
        self.fourier = Fourier(32)
        self.embed_level = nn.Sequential(nn.Linear(32, E), nn.SiLU(), nn.Linear(E, E))
        self.embed_style = nn.Linear(D, E)
        self.first = nn.Conv2d(latent_dim + content_dim, widths[0], 3, padding=1)
        levels = list(enumerate(zip((widths[0], *widths), widths, strict=False)))
        self.down = nn.ModuleList(Block(a, b, E, D, i > 0) for i, (a, b) in levels)
        self.middle = Block(deep, deep, E, D, True)
        self.up = nn.ModuleList(Block(2 * b, a, E, D, i > 0) for i, (a, b) in levels)
        self.norm = nn.GroupNorm(8, widths[0])
        self.last = nn.Conv2d(widths[0], latent_dim, 3, padding=1)
        silence(self.last)

    def forward(
        self, z: Tensor, level: Tensor, tokens: Tensor, vector: Tensor, content: Tensor | None
    ) -> Tensor:
        """z [B, C, H, W], level [B], tokens [B, N, D], vector [B, D], content [B, C', H, W]."""
        embedding = self.embed_level(self.fourier(level)) + self.embed_style(vector)
        embedding = F.silu(embedding)  # [B, E]
        h = self.first(z if content is None else torch.cat([z, content], dim=1))
        left = []
        for i, block in enumerate(self.down):
            h = block(h if i == 0 else F.avg_pool2d(h, 2), embedding, tokens)
            left.append(h)
        h = self.middle(h, embedding, tokens)
        for i, block in reversed(list(enumerate(self.up))):
            h = block(torch.cat([h, left[i]], dim=1), embedding, tokens)
            h = h if i == 0 else F.interpolate(h, scale_factor=2.0)
        return self.last(F.silu(self.norm(h)))
