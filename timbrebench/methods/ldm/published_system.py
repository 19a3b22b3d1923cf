"""Inference as published: one style clip, no guidance, slices scaled by their own maximum."""

# Shapes: B slices, M mel bands, T frames, S frames of a slice, C latent channels, L latents.

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from timbrebench.core import mel
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Stage, Trained
from timbrebench.core.overlap import drawing_alike, run_sliced
from timbrebench.methods.diffusion.parameterisation import diffuse, to_x0
from timbrebench.methods.ldm import published
from timbrebench.methods.ldm.corrections import corrections_of
from timbrebench.methods.ldm.plugin import Options
from timbrebench.methods.ldm.published_autoencoder import Autoencoder, PublishedAutoencoderStage
from timbrebench.methods.ldm.published_data import scaling_of
from timbrebench.methods.ldm.published_diffusion import (
    STEPS,
    Denoiser,
    PublishedDiffusionStage,
    schedule_in,
)
from timbrebench.methods.ldm.system import CLAMP, System

# Of the corrected schedule: where the signal rate is 0.36, as at the end of the published one.
MATCHED_START = 0.77


class Published(System):
    """Slices scaled by their own maximum, one style clip, no guidance, T = 200."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.corrections = corrections_of(options)
        self.schedule = schedule_in(self.corrections)
        if options.start == "inversion":
            raise BenchError(
                "ldm[variant=published] has no start=inversion.",
                hint="Use another variant, or start=noise.",
            )

    def own_start(self) -> float:
        return MATCHED_START if "schedule" in self.corrections else 1.0

    def stages(self, instruments: Sequence[str]) -> Sequence[Stage]:
        return (
            PublishedAutoencoderStage(self.options, instruments),
            PublishedDiffusionStage(self.options, instruments),
        )

    def load(self, trained: Mapping[str, Trained], device: str) -> None:
        super().load(trained, device)
        autoencoder, network = trained["autoencoder"].module, trained["diffusion"].module
        assert isinstance(autoencoder, Autoencoder) and isinstance(network, Denoiser)
        self.autoencoder, self.network = network.autoencoder or autoencoder, network
        self.scaling = scaling_of(self.corrections, self.spec, self.state)
        self.standardised = "latents" in self.corrections
        if self.standardised:
            self.mean, self.deviation = self._moments(trained["diffusion"].state)

    def transfer(
        self, log_mel: np.ndarray, styles: Sequence[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        noise = self._noise(rng, published.LATENT_DIM, self.spec.frames)

        def convert(pieces: Tensor, rng: np.random.Generator) -> Tensor:
            """Log-mels [B, 1, M, S] → normalised mels, like them."""
            images, levels = self.scaling.images(pieces[:, 0])
            alpha, sigma = self.schedule(torch.tensor(self.start))
            x = diffuse(self._encode(images), noise, alpha, sigma)
            return self._decode(self._sample(x, styles, self.start, rng), levels)

        made = run_sliced(
            torch.from_numpy(log_mel)[None].to(self.device),
            self.spec.frames,
            self.options.overlap,
            drawing_alike(convert, rng),
            pad_value=mel.silence(self.spec),
        )
        return made[0].cpu().numpy()

    def generate(
        self, frames: int, styles: Sequence[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        """From pure noise, as published, though training never saw any on its schedule."""
        noise = self._noise(rng, published.LATENT_DIM, frames)
        level = noise.new_full((1, 1, 1), self.state["high"])
        made = self._decode(self._sample(noise, styles, 1.0, rng), level)
        return made[0, 0, :, :frames].cpu().numpy()

    def _encode(self, images: Tensor) -> Tensor:
        """[B, M, S] → [B, C, M/8, S/8]."""
        z = self.autoencoder.encoder(images[:, None])
        return (z - self.mean) / self.deviation if self.standardised else z

    def _decode(self, latents: Tensor, levels: Tensor) -> Tensor:
        """[B, C, M/8, S/8] → normalised mels [B, 1, M, S]."""
        z = latents * self.deviation + self.mean if self.standardised else latents
        log = self.scaling.log_mels(self.autoencoder.decoder(z)[:, 0], levels)
        return mel.normalise(log, self.state)[:, None]

    def _sample(
        self, x: Tensor, styles: Sequence[np.ndarray], start: float, rng: np.random.Generator
    ) -> Tensor:
        first = torch.from_numpy(styles[0][None]).to(self.device)
        image, _ = self.scaling.images(first)
        middle, deep = self.network.style(image[:, None])
        maps = (middle.expand(len(x), -1, -1, -1), deep.expand(len(x), -1, -1, -1))

        def denoise(x_t: Tensor, t: Tensor) -> Tensor:
            alpha, sigma = (rate.to(x_t.dtype) for rate in self.schedule(t))
            step = (t * STEPS - 1).clamp(min=0).to(x_t).expand(len(x_t))
            x0 = to_x0("noise", self.network.unet(x_t, step, maps), x_t, alpha, sigma)
            return x0.clamp(-CLAMP, CLAMP) if self.standardised else x0

        return self._run(denoise, self.schedule, x, start, rng)
