"""What models of one instrument's sound have in common, which see nothing but noise."""

# Shapes: B batch, M mel bands, S frames of a crop.

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from timbrebench.core.interfaces import Recipe, Stage, StageContext
from timbrebench.core.mel import MelSpec, fit_range, normalise
from timbrebench.methods.diffusion.crops import Crops, load_crops
from timbrebench.methods.diffusion.losses import by_time, denoising_errors
from timbrebench.methods.diffusion.schedules import Schedule


class UnconditionalStage(Stage):
    """Noise is added to an instrument's clips; the network predicts it away.

    ``config`` has 'objective', 'loss', 'weighting' (see ``losses``) and what decides the network;
    instrument, mel, frames and schedule are added to it. The state is the range of the training
    tracks, and is what undoes the normalisation of what the network makes. ``build`` is left to
    subclasses: a network x [B, 1, M, S], level [B] → [B, 1, M, S].
    """

    crops: Crops

    def __init__(
        self,
        instrument: str,
        spec: MelSpec,
        config: Mapping[str, Any],
        recipe: Recipe,
        *,
        schedule: Schedule,
        frames: int | None = None,
    ) -> None:
        self.spec, self.schedule, self.frames = spec, schedule, frames or spec.frames
        own = {
            "instrument": instrument,
            "mel": spec.name,
            "frames": self.frames,
            "schedule": str(schedule),
        }
        super().__init__(instrument, {**own, **config}, recipe)
        self.state: dict[str, Any] = {}

    def specimen(self, batch: int) -> dict[str, Tensor]:
        image = torch.zeros(batch, 1, self.spec.n_mels, self.frames)
        return {"clip": image, "noise": image.clone(), "t": torch.zeros(batch)}

    def prepare(self, context: StageContext) -> dict[str, Any]:
        instrument = self.config["instrument"]
        self.crops = load_crops(
            context.corpus, instrument, self.spec, self.frames, context.progress
        )
        self.state = dict(fit_range(self.crops.mels["train"], self.spec))
        return dict(self.state)

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        clip = normalise(self.crops.crop(rng, split), self.state)[None]
        return {
            "clip": clip,
            "noise": rng.standard_normal(clip.shape, dtype=np.float32),
            "t": np.asarray(rng.random(), dtype=np.float32),
        }

    def loss(self, module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        each = self.errors(module, batch)
        return {"loss": each.mean(), **by_time(each, batch["t"])}

    def errors(self, module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """The weighted error of each example [B]."""
        clip, noise, t = batch["clip"], batch["noise"], batch["t"]
        return denoising_errors(module, self.schedule, self.config, clip, noise, t)
