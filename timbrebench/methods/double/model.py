"""Double-diffusion: one noise, two instruments."""

# Shapes: M mel bands, T frames.

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Method, Stage
from timbrebench.core.mel import MelSpec, preset
from timbrebench.core.overlap import one_noise
from timbrebench.core.records import Corpus, Mels, Task
from timbrebench.methods.diffusion.envelope import lead
from timbrebench.methods.diffusion.instrument import (
    InstrumentStage,
    check_sizes,
    frames_of,
    instruments_of,
    schedule_of,
)
from timbrebench.methods.diffusion.parameterisation import diffuse, to_noise
from timbrebench.methods.diffusion.samplers import SAMPLERS, denoiser, time_grid
from timbrebench.methods.diffusion.windows import over_windows, whole_windows
from timbrebench.methods.double.plugin import Options


class Double(Method):
    """Both models are those that cross trains.

    The half-denoised state goes over as it is. The ranges of the two instruments may lie apart,
    but both span the same decibels, so that what goes over keeps its shape and only its level
    becomes the second instrument's own.
    """

    options: Options

    @property
    def spec(self) -> MelSpec:
        return self.mel or preset(self.options.mel)

    def stages(self, corpus: Corpus, tasks: Sequence[Task]) -> Sequence[Stage]:
        split_of(self.options)  # an impossible one is refused before training
        check_sizes("double", self.options, self.spec)
        return [InstrumentStage(i, self.options, self.spec) for i in instruments_of(tasks)]

    @torch.inference_mode()
    def generate_pair(
        self, a: str, b: str, count: int, seconds: float, rngs: Sequence[np.random.Generator]
    ) -> tuple[Mels, Mels]:
        length = round(seconds * self.spec.rate)
        pairs = [self._pair(a, b, self.spec.frames_of(length), rng) for rng in rngs[:count]]
        sides = zip(*pairs, strict=True)
        made = [
            Mels(values, self.spec, self.trained[name].state, [length] * count)
            for name, values in zip((a, b), sides, strict=True)
        ]
        return made[0], made[1]

    def _pair(
        self, a: str, b: str, frames: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Normalised mels [M, T] of both sides."""
        size = frames_of(self.options, self.spec)
        overlap = min(self.options.overlap, size // 2)
        shape = (1, 1, self.spec.n_mels, whole_windows(frames, size, overlap))
        times = time_grid(self.options.steps)
        split = split_of(self.options)

        def noise(rng: np.random.Generator) -> Tensor:
            return one_noise(rng, shape).to(self.device)

        def run(instrument: str, x: Tensor, way: Tensor, rng: np.random.Generator) -> Tensor:
            network = over_windows(self.trained[instrument].module, size, overlap)
            schedule = schedule_of(self.options)
            denoise = denoiser(network, schedule, self.options.objective)
            return SAMPLERS[self.options.sampler](denoise, schedule, x, way, lambda: noise(rng))

        shared = run(a, noise(rng), times[: split + 1], rng)
        copied = self._fitted(shared, a, b, times[split], size, overlap)
        # What fresh noise the sampler adds is that of both.
        both = [
            run(side, x, times[split:], copy.deepcopy(rng))
            for side, x in ((a, shared), (b, copied))
        ]
        first, second = (x[0, 0, :, :frames].cpu().numpy() for x in both)
        return first, second

    def _fitted(self, x: Tensor, a: str, b: str, t: Tensor, size: int, overlap: int) -> Tensor:
        """What ``b`` takes over at time t of what ``a`` has half made: the same noise, and the
        clean image that ``a`` expects, its envelope led to that of ``b``."""
        schedule = schedule_of(self.options)
        alpha, sigma = schedule(t)
        if self.options.match == "none" or a == b or not sigma > 0:
            return x
        network = over_windows(self.trained[a].module, size, overlap)
        x0 = denoiser(network, schedule, self.options.objective)(x, t)
        aim = torch.tensor(self.trained[b].state["envelope"])
        led = lead(x0[0, 0].cpu().float(), aim, float(sigma)).to(x)[None, None]
        return diffuse(led, to_noise(x0, x, alpha, sigma), alpha, sigma).to(x)


def split_of(options: Options) -> int:
    """The step of the split; BenchError where sampling ends before it."""
    if options.split > options.steps:
        raise BenchError(
            f"double: sampling has {options.steps} steps and cannot be split at {options.split}.",
            hint="Set double.split to no more than double.steps.",
        )
    return options.split
