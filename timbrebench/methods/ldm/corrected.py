"""Inference with the corrected system: content as a condition, or in the start noise only."""

# Shapes: B slices, M mel bands, T frames, S frames of a slice, C latent channels, L latents.

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from timbrebench.core import mel
from timbrebench.core.interfaces import Stage, Trained
from timbrebench.core.overlap import run_sliced
from timbrebench.methods.diffusion.parameterisation import diffuse
from timbrebench.methods.diffusion.samplers import denoiser
from timbrebench.methods.ldm import content
from timbrebench.methods.ldm.autoencoder import SCALE, Autoencoder
from timbrebench.methods.ldm.autoencoder_stage import AutoencoderStage
from timbrebench.methods.ldm.diffusion_stage import DiffusionStage, LatentDenoiser, schedule_of
from timbrebench.methods.ldm.style import Style
from timbrebench.methods.ldm.system import System

CLAMP = 3.0  # standard deviations that a latent is kept within


class Corrected(System):
    """Standardised latents, style guidance; content as a condition or in the start noise."""

    def start_noise(self) -> float:
        return 1.0 if self.options.variant == "content" else 0.75

    def stages(self, instruments: Sequence[str]) -> Sequence[Stage]:
        return (
            AutoencoderStage(self.options, instruments),
            DiffusionStage(self.options, instruments),
        )

    def load(self, trained: Mapping[str, Trained], device: str) -> None:
        super().load(trained, device)
        autoencoder, network = trained["autoencoder"].module, trained["diffusion"].module
        assert isinstance(autoencoder, Autoencoder) and isinstance(network, LatentDenoiser)
        self.autoencoder, self.network = autoencoder, network
        state = trained["diffusion"].state
        self.mean, self.deviation = (
            torch.tensor(state[k], device=device)[:, None, None] for k in ("mean", "deviation")
        )
        self.schedule = schedule_of(self.options.objective)

    def transfer(
        self, log_mel: np.ndarray, styles: Sequence[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        style = self._style(styles)
        noise = self._noise(rng, len(self.mean), self.spec.frames)

        def convert(pieces: Tensor) -> Tensor:
            """[B, 2, M, S]: mel and content → [B, 1, M, S]."""
            x = noise.expand(len(pieces), -1, -1, -1)
            if self.start < 1:
                alpha, sigma = self.schedule(torch.tensor(self.start))
                x = diffuse(self._encode(pieces[:, :1]), x, alpha, sigma)
            played = self.network.encode_content((pieces[:, 1:] + 1) / 2)
            return self._decode(self._sample(x, style, played, self.start, rng))

        frames, overlap = self.spec.frames, self.options.overlap
        condition = self._condition(log_mel).to(self.device)
        made = run_sliced(condition, frames, overlap, convert, pad_value=-1.0)
        return made[0].cpu().numpy()

    def generate(
        self, frames: int, styles: Sequence[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        noise = self._noise(rng, len(self.mean), frames)
        played = None
        if self.network.content is not None:
            blank = noise.new_zeros(1, 1, self.spec.n_mels, noise.shape[-1] * SCALE)
            played = torch.zeros_like(self.network.content(blank))
        latents = self._sample(noise, self._style(styles), played, 1.0, rng)
        return self._decode(latents)[0, 0, :, :frames].cpu().numpy()

    def _condition(self, log_mel: np.ndarray) -> Tensor:
        """[2, M, T]: the normalised mel, and what is played, both -1 where there is silence."""
        seen = mel.normalise(log_mel, self.state)
        if self.options.variant == "content":
            played = 2 * content.image(content.activations(log_mel, self.spec), self.spec) - 1
        else:
            played = np.full_like(seen, -1.0)
        return torch.from_numpy(np.stack([seen, played]).astype(np.float32))

    def _style(self, slices: Sequence[np.ndarray]) -> Style:
        normal = np.stack([mel.normalise(s, self.state) for s in slices]).astype(np.float32)
        mels = torch.from_numpy(normal)[:, None].to(self.device)  # [n, 1, M, S]
        return self.network.style(self._encode(mels)).mean()

    def _encode(self, mels: Tensor) -> Tensor:
        return (self.autoencoder.encode(mels) - self.mean) / self.deviation

    def _decode(self, latents: Tensor) -> Tensor:
        return self.autoencoder.decode(latents * self.deviation + self.mean).clamp(-1, 1)

    def _sample(
        self, x: Tensor, style: Style, played: Tensor | None, start: float, rng: np.random.Generator
    ) -> Tensor:
        """x [B, C, M/8, L] at the time ``start`` → latents without noise."""
        styled, plain = style.repeat(len(x)), self.network.style.none(len(x))

        def guided(x_t: Tensor, level: Tensor) -> Tensor:
            answer = self.network(x_t, level, styled, played)
            if self.options.guidance == 1:
                return answer
            unstyled = self.network(x_t, level, plain, played)
            return unstyled + self.options.guidance * (answer - unstyled)

        denoise = denoiser(guided, self.schedule, self.options.objective, clamp=CLAMP)
        return self._run(denoise, self.schedule, x, start, rng)
