"""Inference with the corrected system: content as a condition, or in the start noise only."""

# Shapes: B slices, M mel bands, T frames, S frames of a slice, C latent channels, L latents.

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from timbrebench.core import mel
from timbrebench.core.interfaces import Stage, Trained
from timbrebench.core.overlap import drawing_alike, run_sliced
from timbrebench.methods.diffusion.parameterisation import diffuse
from timbrebench.methods.diffusion.samplers import Denoise, ddim, denoiser, time_grid
from timbrebench.methods.ldm import content, data
from timbrebench.methods.ldm.autoencoder import SCALE, Autoencoder
from timbrebench.methods.ldm.autoencoder_stage import AutoencoderStage
from timbrebench.methods.ldm.diffusion_stage import DiffusionStage, LatentDenoiser, schedule_of
from timbrebench.methods.ldm.style import Style
from timbrebench.methods.ldm.system import CLAMP, System

GUIDANCE = 3.0  # where nothing chose it
NEARLY_CLEAN = 0.02  # time that inversion takes a clip to be at: at 0 there is no noise to find


class Corrected(System):
    """Standardised latents, style guidance; content as a condition or in the start noise."""

    def own_start(self) -> float:
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
        self.mean, self.deviation = self._moments(trained["diffusion"].state)
        self.schedule = schedule_of(self.options.objective)

    def transfer(
        self, log_mel: np.ndarray, styles: Sequence[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        frames, overlap = self.spec.frames, self.options.overlap
        style, inverts = self._style(styles), self.options.start == "inversion"
        own = self._style(data.slices(log_mel, self.spec)) if inverts else None
        noise = self._noise(rng, len(self.mean), frames)

        def convert(pieces: Tensor, rng: np.random.Generator) -> Tensor:
            """[B, 2, M, S]: mel and content → [B, 1, M, S]."""
            played = self.network.encode_content((pieces[:, 1:] + 1) / 2)
            x = noise.expand(len(pieces), -1, -1, -1)
            if own is not None:
                x = self._inverted(self._encode(pieces[:, :1]), own, played)
            elif self.start < 1:
                alpha, sigma = self.schedule(torch.tensor(self.start))
                x = diffuse(self._encode(pieces[:, :1]), x, alpha, sigma)
            return self._decode(self._sample(x, style, played, self.start, rng))

        condition = self._condition(log_mel).to(self.device)
        made = run_sliced(condition, frames, overlap, drawing_alike(convert, rng), pad_value=-1.0)
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
        chosen = self.options.guidance
        denoise = self._denoiser(style, played, len(x), GUIDANCE if chosen is None else chosen)
        return self._run(denoise, self.schedule, x, start, rng)

    def _inverted(self, z: Tensor, own: Style, played: Tensor | None) -> Tensor:
        """Clean latents [B, C, M/8, L] → those at the time ``self.start`` that DDIM makes them
        from under their own style (Su et al. 2023). Without guidance, whose way back differs."""
        if self.start <= NEARLY_CLEAN:
            return z
        times = time_grid(self.options.steps, NEARLY_CLEAN, self.start)
        return ddim(self._denoiser(own, played, len(z), 1.0), self.schedule, z, times)

    def _denoiser(
        self, style: Style, played: Tensor | None, count: int, guidance: float
    ) -> Denoise:
        """x_t [count, C, M/8, L] and t → x₀; ``guidance`` 1: the style as trained."""
        styled, plain = style.repeat(count), self.network.style.none(count)

        def guided(x_t: Tensor, level: Tensor) -> Tensor:
            answer = self.network(x_t, level, styled, played)
            if guidance == 1:
                return answer
            unstyled = self.network(x_t, level, plain, played)
            return unstyled + guidance * (answer - unstyled)

        return denoiser(guided, self.schedule, self.options.objective, clamp=CLAMP)
