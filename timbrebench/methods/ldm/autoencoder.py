"""The corrected autoencoder: normalised mels ↔ latents at an eighth of their size.

Fully convolutional, and with no statistics over time or batch, so that a whole track is encoded
at once and a latent does not depend on what else is in the call.
"""

# Shapes: B batch, M mel bands, T frames, C latent channels.

import torch.nn.functional as F
from torch import Tensor, nn

SCALE = 8  # mel bands and frames to one latent


class PixelNorm(nn.Module):
    """x [B, C, H, W], each place divided by the root mean square of its channels."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(dim=1, keepdim=True) + 1e-6).rsqrt()


class Convolutions(nn.Module):
    """x [B, C, H, W] → x + two 3×3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            PixelNorm(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Encoder(nn.Sequential):
    """[B, 1, M, T] → mean and log-variance, [B, 2C, M/8, T/8]."""

    def __init__(self, latent_dim: int, width: int) -> None:
        super().__init__(
            nn.PixelUnshuffle(4),  # 16 channels at a quarter of the size: cheap and lossless
            nn.Conv2d(16, width, 3, padding=1),
            Convolutions(width),
            nn.Conv2d(width, 2 * width, 2, stride=2),
            Convolutions(2 * width),
            PixelNorm(),
            nn.Conv2d(2 * width, 2 * latent_dim, 1),
        )


class Decoder(nn.Sequential):
    """[B, C, M/8, T/8] → [B, 1, M, T]."""

    def __init__(self, latent_dim: int, width: int) -> None:
        super().__init__(
            nn.Conv2d(latent_dim, 2 * width, 3, padding=1),
            Convolutions(2 * width),
            nn.ConvTranspose2d(2 * width, width, 2, stride=2),
            Convolutions(width),
            nn.Conv2d(width, 16, 3, padding=1),
            nn.PixelShuffle(4),
        )


class Autoencoder(nn.Module):
    """A variational autoencoder with a faint Gaussian prior (the loss weighs it)."""

    def __init__(self, latent_dim: int, width: int) -> None:
        super().__init__()
        self.encoder = Encoder(latent_dim, width)
        self.decoder = Decoder(latent_dim, width)

    def posterior(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each [B, C, M/8, T/8]."""
        mean, log_variance = self.encoder(mel).chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 4)

    def encode(self, mel: Tensor) -> Tensor:
        """The posterior's mean. T need not divide by 8: the end is padded with silence."""
        mel = F.pad(mel, (0, -mel.shape[-1] % SCALE), value=-1.0)
        return self.posterior(mel)[0]

    def decode(self, latent: Tensor) -> Tensor:
        return self.decoder(latent)
