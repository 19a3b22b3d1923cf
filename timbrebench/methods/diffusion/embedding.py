"""A noise level as a vector of waves."""

import math

import torch
from torch import Tensor, nn


class Fourier(nn.Module):
    """level [B] in 0..1 → [B, size]: sines, then cosines, of log-spaced frequencies."""

    frequencies: Tensor

    def __init__(self, size: int, lowest: float = 1.0, highest: float = 64.0) -> None:
        super().__init__()
        turns = torch.logspace(math.log10(lowest), math.log10(highest), size // 2)
        self.register_buffer("frequencies", 2 * math.pi * turns, persistent=False)

    def forward(self, level: Tensor) -> Tensor:
        angle = level.float()[:, None] * self.frequencies  # [B, size / 2]
        return torch.cat([angle.sin(), angle.cos()], dim=1)
