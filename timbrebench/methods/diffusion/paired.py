"""What methods that learn from pairs have in common: their stage's data, and their inference."""

# Shapes: B slices, M mel bands, S frames of a slice, T frames.

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timbrebench.core import audio
from timbrebench.core.interfaces import Method, Recipe, Stage, StageContext, Trained
from timbrebench.core.mel import MelSpec, log_mel, preset, silence
from timbrebench.core.overlap import drawing_alike, run_sliced
from timbrebench.core.records import Clip, Corpus, Mels, Task
from timbrebench.methods.diffusion.pairs import Pairs, load_pairs


class PairedStage(Stage):
    """One direction, from pairs. ``config`` has source, target and mel beside what decides the
    network; the state has the range of each side."""

    pairs: Pairs

    def __init__(
        self, task: Task, spec: MelSpec, config: Mapping[str, Any], recipe: Recipe
    ) -> None:
        direction = {"source": task.source, "target": task.target, "mel": spec.name}
        super().__init__(task.name, {**direction, **config}, recipe)
        self.spec = spec
        self.state: dict[str, dict[str, float]] = {}

    def prepare(self, context: StageContext) -> dict[str, Any]:
        source, target = self.config["source"], self.config["target"]
        self.pairs = load_pairs(context.corpus, source, target, self.spec, context.progress)
        self.state = self.pairs.ranges()
        return dict(self.state)

    def image(self, batch: int) -> Tensor:
        """Zeros of the shape of a batch of crops: [batch, 1, M, S]."""
        return torch.zeros(batch, 1, self.spec.n_mels, self.spec.frames)


class PairedMethod(Method):
    """Transfer by slices, one stage a direction."""

    @abstractmethod
    def stage(self, task: Task) -> PairedStage:
        """What is trained for a direction."""

    @abstractmethod
    def convert(self, pieces: Tensor, trained: Trained, rng: np.random.Generator) -> Tensor:
        """Log-mels of the source [B, 1, M, S] → normalised mels of the target [B, 1, M, S].

        Called with an equal ``rng`` for all the slices of an item.
        """

    @property
    def spec(self) -> MelSpec:
        return self.mel or preset("soundstream")

    def output_state(self, trained: Trained) -> Mapping[str, float]:
        """What undoes the normalisation of what :meth:`convert` gives."""
        return trained.state["target"]

    def stages(self, corpus: Corpus, tasks: Sequence[Task]) -> Sequence[Stage]:
        return [self.stage(task) for task in tasks]

    @torch.inference_mode()
    def transfer(
        self,
        clips: Sequence[Clip],
        task: Task,
        styles: Sequence[Sequence[Clip]],
        rngs: Sequence[np.random.Generator],
    ) -> Mels:
        trained, spec = self.trained[task.name], self.spec
        values, lengths = [], []
        for clip, rng in zip(clips, rngs, strict=True):
            samples = audio.resample(clip.samples, clip.rate, spec.rate)
            values.append(self._transfer(log_mel(samples, spec), trained, rng))
            lengths.append(len(samples))
        return Mels(values, spec, self.output_state(trained), lengths)

    def _transfer(self, source: Tensor, trained: Trained, rng: np.random.Generator) -> np.ndarray:
        """[M, T] → [M, T]."""

        def convert(pieces: Tensor, rng: np.random.Generator) -> Tensor:
            return self.convert(pieces, trained, rng)

        made = run_sliced(
            source[None].to(self.device),
            self.spec.frames,
            self.options.overlap,
            drawing_alike(convert, rng),
            pad_value=silence(self.spec),
        )
        return made[0].cpu().numpy()
