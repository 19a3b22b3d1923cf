"""Inference as published: one style clip, no guidance, slices scaled by their own maximum."""

# Shapes: B slices, M mel bands, T frames, S frames of a slice, C latent channels, L latents.

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from timbrebench.core import mel
from timbrebench.core.interfaces import Stage, Trained
from timbrebench.core.overlap import run_sliced
from timbrebench.methods.diffusion.parameterisation import diffuse, to_x0
from timbrebench.methods.ldm import published, published_stages
from timbrebench.methods.ldm.published_stages import SCHEDULE, STEPS
from timbrebench.methods.ldm.system import System


class Published(System):
    """Slices scaled by their own maximum, one style clip, no guidance, T = 200."""

    def start_noise(self) -> float:
        return 1.0

    def stages(self, instruments: Sequence[str]) -> Sequence[Stage]:
        return (
            published_stages.PublishedAutoencoderStage(self.options, instruments),
            published_stages.PublishedDiffusionStage(self.options, instruments),
        )

    def load(self, trained: Mapping[str, Trained], device: str) -> None:
        super().load(trained, device)
        autoencoder, network = trained["autoencoder"].module, trained["diffusion"].module
        assert isinstance(autoencoder, published_stages.Autoencoder)
        assert isinstance(network, published_stages.Denoiser)
        self.autoencoder, self.network = autoencoder, network

    def transfer(
        self, log_mel: np.ndarray, styles: Sequence[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        noise = self._noise(rng, published.LATENT_DIM, self.spec.frames)

        def convert(pieces: Tensor) -> Tensor:
            """Log-mels [B, 1, M, S] → normalised mels, like them."""
            images, peaks = published_stages.scaled(pieces[:, 0], self.spec)
            alpha, sigma = SCHEDULE(torch.tensor(self.start))
            x = diffuse(self.autoencoder.encoder(images[:, None]), noise, alpha, sigma)
            return self._decode(self._sample(x, styles, self.start, rng), peaks)

        made = run_sliced(
            torch.from_numpy(log_mel)[None].to(self.device),
            self.spec.frames,
            self.options.overlap,
            convert,
            pad_value=mel.silence(self.spec),
        )
        return made[0].cpu().numpy()

    def generate(
        self, frames: int, styles: Sequence[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        """From pure noise, as published, though training never saw any."""
        noise = self._noise(rng, published.LATENT_DIM, frames)
        peak = noise.new_full((1, 1, 1), self.state["high"])
        made = self._decode(self._sample(noise, styles, 1.0, rng), peak)
        return made[0, 0, :, :frames].cpu().numpy()

    def _decode(self, latents: Tensor, peaks: Tensor) -> Tensor:
        images = self.autoencoder.decoder(latents)[:, 0]  # [B, M, S]
        log = published_stages.unscaled(images, peaks, self.spec)
        return mel.normalise(log, self.state)[:, None]

    def _sample(
        self, x: Tensor, styles: Sequence[np.ndarray], start: float, rng: np.random.Generator
    ) -> Tensor:
        first = torch.from_numpy(styles[0][None]).to(self.device)
        image, _ = published_stages.scaled(first, self.spec)
        middle, deep = self.network.style(image[:, None])
        maps = (middle.expand(len(x), -1, -1, -1), deep.expand(len(x), -1, -1, -1))

        def denoise(x_t: Tensor, t: Tensor) -> Tensor:
            alpha, sigma = (rate.to(x_t.dtype) for rate in SCHEDULE(t))
            step = (t * STEPS - 1).clamp(min=0).to(x_t).expand(len(x_t))
            return to_x0("noise", self.network.unet(x_t, step, maps), x_t, alpha, sigma)

        return self._run(denoise, SCHEDULE, x, start, rng)
