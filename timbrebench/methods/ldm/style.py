"""What the network is told beside the noisy latent: how it should sound, and what is played."""

# Shapes: B batch, C latent channels, D style size; mels 128×T, latents 16×T/8.

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROWS = 16  # frequency rows of a latent: one style token each


class Style(NamedTuple):
    """A timbre: one token a frequency row for cross-attention, and their summary for FiLM."""

    tokens: Tensor  # [B, 16, D]
    vector: Tensor  # [B, D]

    def mean(self) -> "Style":
        """The styles of several clips as one, [1, …]."""
        return Style(self.tokens.mean(0, keepdim=True), self.vector.mean(0, keepdim=True))

    def repeat(self, count: int) -> "Style":
        """One style for each of ``count`` items."""
        return Style(self.tokens.expand(count, -1, -1), self.vector.expand(count, -1))


class StyleEncoder(nn.Module):
    """Latents [B, C, 16, W] of a clip → Style.

    Features are pooled over time to their mean and deviation, so that no melody passes. ``none``
    is the learned style of "any instrument", for guidance.
    """

    def __init__(self, latent_dim: int, size: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(latent_dim, size, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(size, size, 3, padding=1),
            nn.SiLU(),
        )
        self.token = nn.Linear(2 * size, size)
        self.row = nn.Parameter(0.02 * torch.randn(ROWS, size))  # which frequency a token is of
        self.summary = nn.Sequential(nn.Linear(ROWS * size, size), nn.SiLU(), nn.Linear(size, size))
        self.none_tokens = nn.Parameter(torch.zeros(ROWS, size))
        self.none_vector = nn.Parameter(torch.zeros(size))

    def forward(self, latents: Tensor) -> Style:
        h = self.features(latents)  # [B, D, 16, W]
        spread = (h.var(dim=-1, unbiased=False) + 1e-4).sqrt()
        pooled = torch.cat([h.mean(dim=-1), spread], dim=1)  # [B, 2D, 16]
        tokens = self.token(pooled.transpose(1, 2)) + self.row
        return Style(tokens, self.summary(F.silu(tokens).flatten(1)))

    def none(self, count: int) -> Style:
        return Style(self.none_tokens[None], self.none_vector[None]).repeat(count)

    def drop(self, style: Style, keep: Tensor) -> Style:
        """The style where keep [B] is 1, none where it is 0."""
        none = self.none(len(keep))
        tokens = none.tokens + keep[:, None, None] * (style.tokens - none.tokens)
        return Style(tokens, none.vector + keep[:, None] * (style.vector - none.vector))


class ContentEncoder(nn.Module):
    """A content image [B, 1, 128, T] → [B, width, 16, T/8], to lie beside the noisy latent."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width // 4, 5, stride=2, padding=2),
            nn.SiLU(),
            nn.Conv2d(width // 4, width // 2, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(width // 2, width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)
