"""The method: new music of an instrument, of any length."""

# Shapes: B windows, M mel bands, S frames of a training clip, T frames.

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from timbrebench.core.interfaces import Method, Stage
from timbrebench.core.mel import MelSpec, preset
from timbrebench.core.overlap import one_noise
from timbrebench.core.records import Corpus, Mels, Task
from timbrebench.methods.ddim.context import condition_of
from timbrebench.methods.ddim.plugin import Options
from timbrebench.methods.ddim.stage import ClipStage, frames_of, schedule_of
from timbrebench.methods.diffusion.samplers import Network, denoiser, sampler_of, time_grid
from timbrebench.methods.diffusion.sizes import check_levels, check_widths
from timbrebench.methods.diffusion.windows import over_windows, whole_windows


class Ddim(Method):
    """One model an instrument; a mixture is an instrument."""

    options: Options

    @property
    def spec(self) -> MelSpec:
        return self.mel or preset("soundstream")

    def stages(self, corpus: Corpus, tasks: Sequence[Task]) -> Sequence[Stage]:
        sampler_of(self.options.sampler, self.options.eta)  # refused before training, if at all
        published = self.options.variant == "published"
        check_widths("ddim", self.options.widths, 8, fewest=2)
        patch = 1 if published else self.options.patch
        check_levels("ddim", patch, len(self.options.widths), bands=self.spec.n_mels)
        instruments = sorted({task.target for task in tasks})
        return [ClipStage(name, self.options, self.spec) for name in instruments]

    @torch.inference_mode()
    def generate(
        self, instrument: str, count: int, seconds: float, rngs: Sequence[np.random.Generator]
    ) -> Mels:
        trained, length = self.trained[instrument], round(seconds * self.spec.rate)
        frames = self.spec.frames_of(length)
        make = self._clip_by_clip if self.options.context else self._at_once
        values = [make(trained.module, frames, rng) for rng in rngs[:count]]
        return Mels(values, self.spec, trained.state, [length] * count)

    def _at_once(self, module: nn.Module, frames: int, rng: np.random.Generator) -> np.ndarray:
        """[M, T], denoised as a whole; what is over a whole number of windows is cut."""
        size = frames_of(self.options, self.spec)
        overlap = min(self.options.overlap, size // 2)
        width = whole_windows(frames, size, overlap)
        return self._sample(over_windows(module, size, overlap), width, rng)[:, :frames]

    def _clip_by_clip(self, module: nn.Module, frames: int, rng: np.random.Generator) -> np.ndarray:
        """[M, T] in clips of S frames, each under the condition of the one before."""
        size = frames_of(self.options, self.spec)
        made: list[np.ndarray] = []
        for _ in range(0, frames, size):
            before = condition_of(made[-1] if made else None, (self.spec.n_mels, size))
            condition = torch.from_numpy(before)[None].to(self.device)

            def network(x_t: Tensor, level: Tensor, condition: Tensor = condition) -> Tensor:
                return module(x_t, level, condition)

            made.append(self._sample(network, size, rng))
        return np.concatenate(made, axis=1)[:, :frames]

    def _sample(self, network: Network, frames: int, rng: np.random.Generator) -> np.ndarray:
        """[M, frames] from noise."""
        options, shape = self.options, (1, 1, self.spec.n_mels, frames)

        def draw() -> Tensor:
            return one_noise(rng, shape).to(self.device)

        schedule = schedule_of(options)
        denoise = denoiser(network, schedule, options.objective)
        times = time_grid(options.steps)
        sample = sampler_of(options.sampler, options.eta)
        made = sample(denoise, schedule, draw(), times, draw)
        return made[0, 0].cpu().numpy()
