"""Regress: the source's mel in, the target's mel out, in one pass."""

# Shapes: B batch, M mel bands, S frames of a slice.

import numpy as np
from torch import Tensor, nn

from timbrebench.core.interfaces import Recipe, Trained
from timbrebench.core.mel import MelSpec, normalise
from timbrebench.core.records import Task
from timbrebench.methods.diffusion.paired import PairedMethod, PairedStage
from timbrebench.methods.diffusion.sizes import check_levels, check_widths
from timbrebench.methods.diffusion.unet import UNet
from timbrebench.methods.regress.plugin import Options


class RegressStage(PairedStage):
    """The mean absolute error of the mel."""

    def __init__(self, task: Task, options: Options, spec: MelSpec) -> None:
        config = {
            "widths": list(options.widths),
            "blocks": options.blocks,
            "patch": options.patch,
        }
        recipe = Recipe(batch_size=options.batch, lr=options.lr, lr_final=options.lr / 10)
        super().__init__(task, spec, config, recipe)

    def build(self) -> nn.Module:
        blocks, patch = self.config["blocks"], self.config["patch"]
        return UNet(1, 1, self.config["widths"], blocks=blocks, patch=patch, size=self.spec.n_mels)

    def specimen(self, batch: int) -> dict[str, Tensor]:
        return {"condition": self.image(batch), "target": self.image(batch)}

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        source, target = self.pairs.crop(rng, split)
        return {
            "condition": normalise(source, self.state["source"])[None],
            "target": normalise(target, self.state["target"])[None],
        }

    def loss(self, module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        answer = _answer(module, batch["condition"])
        return {"loss": (answer - batch["target"]).abs().mean()}


class Regress(PairedMethod):
    """One model a direction."""

    options: Options

    def stage(self, task: Task) -> RegressStage:
        options, spec = self.options, self.spec
        check_widths("regress", options.widths, 8)
        levels = len(options.widths)
        check_levels("regress", options.patch, levels, bands=spec.n_mels, frames=spec.frames)
        return RegressStage(task, self.options, self.spec)

    def convert(self, pieces: Tensor, trained: Trained, rng: np.random.Generator) -> Tensor:
        condition = normalise(pieces, trained.state["source"])
        return _answer(trained.module, condition).clamp(-1, 1)


def _answer(module: nn.Module, condition: Tensor) -> Tensor:
    """The network in one pass; the noise level that it is told is always 0."""
    return module(condition, condition.new_zeros(len(condition))).float()
