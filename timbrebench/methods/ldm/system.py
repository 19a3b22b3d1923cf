"""Inference: log-mels of a source and of the target's style → normalised mels.

Two systems have these methods: the corrected one (variants content and noise) and the published
one. ``model`` gives them log-mels and makes records of what they return.
"""

# Shapes: M mel bands, T frames, S frames of a slice, C latent channels, L latents in time.

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timbrebench.core import mel
from timbrebench.core.interfaces import Stage, Trained
from timbrebench.core.overlap import one_noise
from timbrebench.methods.diffusion.samplers import SAMPLERS, Denoise, time_grid
from timbrebench.methods.diffusion.schedules import Schedule
from timbrebench.methods.ldm.autoencoder import SCALE
from timbrebench.methods.ldm.plugin import Options

CLAMP = 3.0  # standard deviations that a standardised latent is kept within
LATENT_STEP = 8  # latents in time that every network here can halve down and double up again


class System(ABC):
    """A pair of stages and how they are used.

    Sampling options are read at each call: the benchmark chooses some of them on validation
    tracks, after the system is made.
    """

    def __init__(self, options: Options) -> None:
        self.options, self.spec = options, mel.preset(options.mel)
        self.state: Mapping[str, float] = {}  # of the normalisation of what is returned
        self.device = "cpu"

    @property
    def start(self) -> float:
        """Share of the way to pure noise at which transfer starts."""
        chosen = self.options.start_noise
        return self.own_start() if chosen is None else chosen

    @abstractmethod
    def own_start(self) -> float:
        """The same where no option says it."""

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

    def _moments(self, state: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Mean and deviation of each latent channel, each [C, 1, 1], from a stage's state."""
        mean, deviation = (
            torch.tensor(state[k], device=self.device)[:, None, None] for k in ("mean", "deviation")
        )
        return mean, deviation

    def _noise(self, rng: np.random.Generator, channels: int, frames: int) -> Tensor:
        """[1, C, M/8, L], L enough for ``frames`` frames."""
        size = SCALE * LATENT_STEP
        latents = -(-frames // size) * LATENT_STEP
        shape = (1, channels, self.spec.n_mels // SCALE, latents)
        return one_noise(rng, shape).to(self.device)

    def _run(
        self,
        denoise: Denoise,
        schedule: Schedule,
        x: Tensor,
        start: float,
        rng: np.random.Generator,
    ) -> Tensor:
        """The sampler of the options, on x [B, C, M/8, L] from the time ``start`` to 0."""

        def draw() -> Tensor:
            return one_noise(rng, tuple(x.shape[1:])).to(x)

        times = time_grid(self.options.steps, start)
        return SAMPLERS[self.options.sampler](denoise, schedule, x, times, draw)
