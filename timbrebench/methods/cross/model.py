"""Cross-diffusion: k of 500 steps towards noise, and back by the target's model."""

# Shapes: B slices, M mel bands, S frames of a slice, T frames.

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from timbrebench.core import audio
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Method, Stage
from timbrebench.core.mel import MelSpec, log_mel, normalise, preset
from timbrebench.core.overlap import drawing_alike, one_noise, run_sliced
from timbrebench.core.records import Clip, Corpus, Mels, Task
from timbrebench.methods.cross.plugin import Options
from timbrebench.methods.diffusion.envelope import lead
from timbrebench.methods.diffusion.instrument import (
    InstrumentStage,
    check_sizes,
    frames_of,
    gain_to,
    instruments_of,
    schedule_of,
)
from timbrebench.methods.diffusion.network_published import STEPS
from timbrebench.methods.diffusion.parameterisation import diffuse
from timbrebench.methods.diffusion.samplers import SAMPLERS, ddim, denoiser, time_grid

DEFAULT_K = 250  # where nobody has chosen one: half-way


class Cross(Method):
    """One model an instrument; only the target's is needed, and the source's for inversion."""

    options: Options

    @property
    def spec(self) -> MelSpec:
        return self.mel or preset(self.options.mel)

    def stages(self, corpus: Corpus, tasks: Sequence[Task]) -> Sequence[Stage]:
        times_of(self.options)  # options that contradict each other are refused before training
        check_sizes("cross", self.options, self.spec)
        needed = instruments_of(tasks, sources=self.options.start == "inversion")
        return [InstrumentStage(name, self.options, self.spec) for name in needed]

    @torch.inference_mode()
    def transfer(
        self,
        clips: Sequence[Clip],
        task: Task,
        styles: Sequence[Sequence[Clip]],
        rngs: Sequence[np.random.Generator],
    ) -> Mels:
        state, values, lengths = self.trained[task.target].state, [], []
        for clip, rng in zip(clips, rngs, strict=True):
            samples = audio.resample(clip.samples, clip.rate, self.spec.rate)
            gain = gain_to(state, log_mel(samples, self.spec).numpy(), self.spec)
            source = normalise(log_mel(samples * gain, self.spec), state)
            values.append(self._transfer(source, task, rng))
            lengths.append(len(samples))
        return Mels(values, self.spec, state, lengths)

    def _transfer(self, source: Tensor, task: Task, rng: np.random.Generator) -> np.ndarray:
        """Normalised [M, T] → [M, T]. All slices have the same noise."""
        size = frames_of(self.options, self.spec)

        def cross(pieces: Tensor, rng: np.random.Generator) -> Tensor:
            return self._cross(pieces, task, rng)

        if self.options.match == "envelope" and self.options.start == "noise":
            source = self._led(source, task.target)
        condition = source[None].to(self.device)
        overlap = min(self.options.overlap, size // 2)
        made = run_sliced(condition, size, overlap, drawing_alike(cross, rng), pad_value=-1.0)
        return made[0].cpu().numpy()

    def _led(self, source: Tensor, target: str) -> Tensor:
        """[M, T] with an envelope nearer to the target's: as near as the noise at k is strong."""
        _, sigma = schedule_of(self.options)(torch.tensor(forward_steps(self.options) / STEPS))
        aim = torch.tensor(self.trained[target].state["envelope"])
        return lead(source, aim, float(sigma))

    def _cross(self, x0: Tensor, task: Task, rng: np.random.Generator) -> Tensor:
        """[B, 1, M, S]: k steps towards noise, then the target's model from step s."""
        options, schedule = self.options, schedule_of(self.options)
        k = forward_steps(options)

        def draw() -> Tensor:
            return one_noise(rng, (1, *x0.shape[1:])).to(x0)

        if options.start == "inversion":
            x = self._invert(x0, task.source, k)
        else:
            x = diffuse(x0, draw(), *schedule(torch.tensor(k / STEPS, dtype=torch.float64)))
        denoise = denoiser(self.trained[task.target].module, schedule, options.objective)
        return SAMPLERS[options.sampler](denoise, schedule, x, times_of(options), draw)

    def _invert(self, x0: Tensor, source: str, k: int) -> Tensor:
        """The source's model run backwards to step k: DDIM with rising times (Su et al. 2022).

        It begins at the first of STEPS, where the clip has as good as no noise: at 0 the noise
        that is left could not be told.
        """
        if k <= 1:
            return x0
        schedule = schedule_of(self.options)
        module = self.trained[source].module
        denoise = denoiser(module, schedule, self.options.objective, clamp=None)
        count = max(1, round(self.options.steps * k / STEPS))
        return ddim(denoise, schedule, x0, time_grid(count, 1 / STEPS, k / STEPS))


def forward_steps(options: Options) -> int:
    """k of STEPS."""
    return DEFAULT_K if options.k is None else options.k


def times_of(options: Options) -> Tensor:
    """The falling times at which noise is removed. Those that match k begin where k ends; those
    from a given step s are the grid from pure noise, wherever k ended."""
    if options.s is None:
        k = forward_steps(options)
        return time_grid(max(1, round(options.steps * k / STEPS)) if k else 0, k / STEPS)
    if options.s > options.steps:
        raise BenchError(
            f"cross: denoising cannot start at step {options.s} of {options.steps}.",
            hint="Set cross.s to none, or to no more than cross.steps.",
        )
    return time_grid(options.steps)[options.s :]
