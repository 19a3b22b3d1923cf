"""Inference: log-mels of a source and of the target's style → normalised mels.

Two systems with the same methods: the corrected one (variants content and noise) and the
published one. ``model`` gives them log-mels and makes records of what they return.
"""

# Shapes: B slices, M mel bands, T frames, S frames of a slice, C latent channels, L latents.

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timbrebench.core import mel
from timbrebench.core.interfaces import Stage, Trained
from timbrebench.core.overlap import one_noise, run_sliced
from timbrebench.methods.diffusion.parameterisation import diffuse, to_x0
from timbrebench.methods.diffusion.samplers import SAMPLERS, denoiser, time_grid
from timbrebench.methods.ldm import content, published, published_stages
from timbrebench.methods.ldm.autoencoder import SCALE, Autoencoder
from timbrebench.methods.ldm.plugin import Options
from timbrebench.methods.ldm.stages import (
    AutoencoderStage,
    DiffusionStage,
    LatentDenoiser,
    schedule_of,
)
from timbrebench.methods.ldm.style import Style

CLAMP = 3.0  # standard deviations that a latent is kept within
START_NOISE = {"content": 1.0, "noise": 0.75, "published": 1.0}
LATENT_STEP = 8  # latents in time that every network here can halve down and double up again


class System(ABC):
    """A pair of stages and how they are used."""

    def __init__(self, options: Options) -> None:
        self.options, self.spec = options, mel.preset(options.mel)
        own = START_NOISE[options.variant]
        self.start = own if options.start_noise is None else options.start_noise
        self.state: Mapping[str, float] = {}  # of the normalisation of what is returned
        self.device = "cpu"

    @abstractmethod
    def stages(self, instruments: Sequence[str]) -> Sequence[Stage]:
        """What to train for the instruments."""

    def load(self, trained: Mapping[str, Trained], device: str) -> None:
        """Takes the finished stages."""
        state = trained["autoencoder"].state
        self.state, self.device = {k: state[k] for k in ("low", "high")}, device

    @abstractmethod
    def transfer(
        self, log_mel: np.ndarray, styles: Sequence[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        """Log-mel [M, T] under the style of slices [M, S] → normalised mel [M, T]."""

    @abstractmethod
    def generate(
        self, frames: int, styles: Sequence[np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        """A new normalised mel [M, frames] in the style of slices [M, S]."""

    def _noise(self, rng: np.random.Generator, channels: int, frames: int) -> Tensor:
        """[1, C, M/8, L], L enough for ``frames`` frames."""
        size = SCALE * LATENT_STEP
        latents = -(-frames // size) * LATENT_STEP
        shape = (1, channels, self.spec.n_mels // SCALE, latents)
        return one_noise(rng, shape).to(self.device)


class Corrected(System):
    """Standardised latents, style guidance; content as a condition or in the start noise."""

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
        self, x: Tensor, style: Style, played: Tensor | None, start: float, rng: Any
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
        return _run(self.options, denoise, self.schedule, x, start, rng)


class Published(System):
    """Slices scaled by their own maximum, one style clip, no guidance, T = 200."""

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
            alpha, sigma = published_stages.SCHEDULE(torch.tensor(self.start))
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

    def _sample(self, x: Tensor, styles: Sequence[np.ndarray], start: float, rng: Any) -> Tensor:
        first = torch.from_numpy(styles[0][None]).to(self.device)
        image, _ = published_stages.scaled(first, self.spec)
        middle, deep = self.network.style(image[:, None])
        maps = (middle.expand(len(x), -1, -1, -1), deep.expand(len(x), -1, -1, -1))
        schedule, T = published_stages.SCHEDULE, published_stages.STEPS

        def denoise(x_t: Tensor, t: Tensor) -> Tensor:
            alpha, sigma = (rate.to(x_t.dtype) for rate in schedule(t))
            step = (t * T - 1).clamp(min=0).to(x_t).expand(len(x_t))
            return to_x0("noise", self.network.unet(x_t, step, maps), x_t, alpha, sigma)

        return _run(self.options, denoise, schedule, x, start, rng)


def _run(
    options: Options, denoise: Any, schedule: Any, x: Tensor, start: float, rng: Any
) -> Tensor:
    """The sampler of the options, from the time ``start`` to 0."""

    def draw() -> Tensor:
        return one_noise(rng, tuple(x.shape[1:])).to(x)

    return SAMPLERS[options.sampler](denoise, schedule, x, time_grid(options.steps, start), draw)


def create(options: Options) -> System:
    """The system of the options' variant."""
    return Published(options) if options.variant == "published" else Corrected(options)
