"""The published networks of the cross-attention latent diffusion model, layer by layer.

Their parameter counts are those of the report's Table 2 exactly (FACTS of the tests). What the
counts leave open is chosen here: the second pair of attentions sits on the way up, at the same
sizes as the first, and the time vector (128 wide, no projection) is added where the features
are 128 wide. ``residual`` and ``norm`` are corrections, absent as published. Shapes: B batch,
C channels, 128×128 mels, 16×16 latents.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

LATENT_DIM = 32
TIME_DIM = 128
HEADS = 4


def _down(width_in: int, width_out: int) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, 3, stride=2, padding=1)


def _up(width_in: int, width_out: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(width_in, width_out, 3, stride=2, padding=1, output_padding=1)


class SpectrogramEncoder(nn.Sequential):
    """[B, 1, 128, T] → [B, 32, 16, T/8]."""

    def __init__(self) -> None:
        super().__init__(
            _down(1, 64),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            _down(64, 128),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            _down(128, LATENT_DIM),
            nn.BatchNorm2d(LATENT_DIM),
        )


class SpectrogramDecoder(nn.Sequential):
    """[B, 32, 16, T/8] → [B, 1, 128, T], in -1..1 (its published targets are in 0..1)."""

    def __init__(self) -> None:
        super().__init__(
            nn.ConvTranspose2d(LATENT_DIM, 128, 4, stride=2, padding=1),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )


class StyleEncoder(nn.Module):
    """[B, 1, 128, 128] → maps [B, 256, 4, 4] and [B, 512, 2, 2]: melody and all."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 64, 128, 256, 256, 256, 512)
        self.layers = nn.ModuleList(_down(a, b) for a, b in pairwise(widths))

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        maps = []
        for layer in self.layers:
            mel = torch.relu(layer(mel))
            maps.append(mel)
        return maps[-2], maps[-1]


class CrossAttention(nn.Module):
    """One attention at 4×4 (256 wide) and one at 2×2 (512 wide).

    What they return *replaces* the features, as published: nothing of them is kept, unless
    ``residual``.
    """

    def __init__(self, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        self.middle = nn.MultiheadAttention(256, HEADS, batch_first=True)
        self.deep = nn.MultiheadAttention(512, HEADS, batch_first=True)

    def attend_middle(self, features: Tensor, style: Tensor) -> Tensor:
        return self._attend(self.middle, features, style)

    def attend_deep(self, features: Tensor, style: Tensor) -> Tensor:
        return self._attend(self.deep, features, style)

    def _attend(self, attention: nn.Module, features: Tensor, style: Tensor) -> Tensor:
        """Features [B, C, H, W] ask, the style map [B, C, h, w] answers: [B, C, H, W]."""
        tokens = style.flatten(2).transpose(1, 2)  # [B, h·w, C]
        asked = features.flatten(2).transpose(1, 2)  # [B, H·W, C]
        told, _ = attention(asked, tokens, tokens, need_weights=False)
        answer = told.transpose(1, 2).reshape(features.shape)
        return features + answer if self.residual else answer


def _active(layer: nn.Module, width: int, norm: bool) -> nn.Sequential:
    """The layer and its ReLU; published without the norm between them."""
    norms = [nn.GroupNorm(8, width)] if norm else []
    return nn.Sequential(layer, *norms, nn.ReLU())


class UNet(nn.Module):
    """Noise of a latent [B, 32, 16, 16] from its step and the style maps."""

    def __init__(self, residual_attention: bool = False, norm: bool = False) -> None:
        super().__init__()
        self.time = nn.Sequential(
            nn.Linear(TIME_DIM, TIME_DIM), nn.GELU(), nn.Linear(TIME_DIM, TIME_DIM)
        )
        self.enter = _active(nn.Conv2d(LATENT_DIM, 64, 3, padding=1), 64, norm)
        widths = (64, 128, 256, 512)
        self.down = nn.ModuleList(_active(_down(a, b), b, norm) for a, b in pairwise(widths))
        self.attend_down = CrossAttention(residual_attention)
        self.bottleneck = _active(nn.Conv2d(512, 512, 3, padding=1), 512, norm)
        self.attend_up = CrossAttention(residual_attention)
        self.up = nn.ModuleList(_active(_up(a, b), b, norm) for a, b in pairwise(widths[::-1]))
        self.leave = nn.Conv2d(64, LATENT_DIM, 3, padding=1)

    def forward(self, z: Tensor, step: Tensor, style: tuple[Tensor, Tensor]) -> Tensor:
        """z [B, 32, 16, 16], step [B] in 0..T-1 → [B, 32, 16, 16]."""
        middle, deep = style
        time = self.time(sinusoid(step, TIME_DIM))[:, :, None, None]  # [B, 128, 1, 1]
        h16 = self.enter(z)  # [B, 64, 16, 16]
        h8 = self.down[0](h16) + time  # [B, 128, 8, 8]
        h4 = self.attend_down.attend_middle(self.down[1](h8), middle)  # [B, 256, 4, 4]
        h2 = self.attend_down.attend_deep(self.down[2](h4), deep)  # [B, 512, 2, 2]
        h = self.attend_up.attend_deep(self.bottleneck(h2), deep) + h2
        h = self.attend_up.attend_middle(self.up[0](h), middle) + h4  # [B, 256, 4, 4]
        h = self.up[1](h) + h8  # [B, 128, 8, 8]
        h = self.up[2](h) + h16  # [B, 64, 16, 16]
        return self.leave(h)


def sinusoid(step: Tensor, width: int) -> Tensor:
    """Sines and cosines [B, width] of steps [B] at ``width``/2 frequencies, 1 to 1e-4."""
    ladder = torch.arange(width // 2, device=step.device) / (width // 2)
    angle = step[:, None].float() * torch.exp(-math.log(1e4) * ladder)  # [B, width/2]
    return torch.cat([angle.sin(), angle.cos()], dim=1)
