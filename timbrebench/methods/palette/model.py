"""Palette: what is trained for a direction, and how a slice is made."""

# Shapes: B batch, M mel bands, S frames of a slice.

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from timbrebench.core.interfaces import Recipe, Trained
from timbrebench.core.mel import MelSpec, denormalise, normalise, slice_range
from timbrebench.core.overlap import one_noise
from timbrebench.core.records import Task
from timbrebench.methods.diffusion.losses import by_time, denoising_errors
from timbrebench.methods.diffusion.paired import PairedMethod, PairedStage
from timbrebench.methods.diffusion.samplers import SAMPLERS, denoiser, time_grid
from timbrebench.methods.diffusion.schedules import CosineAngle, Schedule, Shifted
from timbrebench.methods.diffusion.sizes import check_levels, check_widths
from timbrebench.methods.diffusion.unet import UNet
from timbrebench.methods.palette.network_published import PublishedUNet
from timbrebench.methods.palette.plugin import Options


class PaletteStage(PairedStage):
    """Noise is added to the target; the network, which sees the source, predicts it away."""

    def __init__(self, task: Task, options: Options, spec: MelSpec) -> None:
        config = {
            "variant": options.variant,
            "objective": options.objective,
            "loss": options.loss,
            "weighting": options.weighting,
            "noise_shift": _noise_shift(options),
            "widths": list(options.widths),
            "blocks": options.blocks,
            "patch": options.patch,
        }
        super().__init__(task, spec, config, _recipe(options))
        self.schedule = schedule_of(options)

    def build(self) -> nn.Module:
        widths, blocks = self.config["widths"], self.config["blocks"]
        if self.config["variant"] == "published":
            return PublishedUNet(widths, blocks)
        patch, size = self.config["patch"], self.spec.n_mels
        return UNet(1, 1, widths, blocks=blocks, patch=patch, size=size, condition_channels=1)

    def specimen(self, batch: int) -> dict[str, Tensor]:
        images = {name: self.image(batch) for name in ("condition", "target", "noise")}
        return images | {"t": torch.zeros(batch)}

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        source, target = self.pairs.crop(rng, split)
        published = self.config["variant"] == "published"
        ranges = (slice_range(source), slice_range(target)) if published else self._ranges()
        return {
            "condition": normalise(source, ranges[0])[None],
            "target": normalise(target, ranges[1])[None],
            "noise": rng.standard_normal((1, *target.shape), dtype=np.float32),
            "t": np.asarray(rng.random(), dtype=np.float32),
        }

    def loss(self, module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        each = self.errors(module, batch, batch["condition"])
        parts = {"loss": each.mean(), **by_time(each, batch["t"])}
        if not module.training:
            wrong = batch["condition"].roll(1, dims=0)
            parts["loss_by_wrong_condition"] = self.errors(module, batch, wrong).mean()
        return parts

    def errors(self, module: nn.Module, batch: dict[str, Tensor], condition: Tensor) -> Tensor:
        """The weighted error of each example [B] under a condition [B, 1, M, S]."""

        def conditioned(x_t: Tensor, level: Tensor) -> Tensor:
            return _answer(module, self.config["objective"], x_t, level, condition)

        target, noise, t = batch["target"], batch["noise"], batch["t"]
        return denoising_errors(conditioned, self.schedule, self.config, target, noise, t)

    def _ranges(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        return self.state["source"], self.state["target"]


class Palette(PairedMethod):
    """One model a direction; see ``plugin`` for the variants."""

    options: Options

    def stage(self, task: Task) -> PaletteStage:
        options, spec = self.options, self.spec
        published = options.variant == "published"
        check_widths("palette", options.widths, 8, fewest=2 if published else 1)
        check_levels(
            "palette",
            1 if published else options.patch,
            len(options.widths),
            bands=spec.n_mels,
            frames=spec.frames,
        )
        return PaletteStage(task, self.options, self.spec)

    def output_state(self, trained: Trained) -> Mapping[str, float]:
        published = self.options.variant == "published"
        return IDENTITY if published else super().output_state(trained)

    def convert(self, pieces: Tensor, trained: Trained, rng: np.random.Generator) -> Tensor:
        if self.options.variant == "default":
            return self._sample(normalise(pieces, trained.state["source"]), trained.module, rng)
        ranges = [slice_range(piece) for piece in pieces]
        condition = torch.stack(list(map(normalise, pieces, ranges)))
        made = self._sample(condition, trained.module, rng)
        return torch.stack(list(map(denormalise, made, ranges)))

    def _sample(self, condition: Tensor, network: nn.Module, rng: np.random.Generator) -> Tensor:
        """Normalised [B, 1, M, S] → the same; all slices have the same noise."""
        options, shape = self.options, (1, *condition.shape[1:])

        def draw() -> Tensor:
            return one_noise(rng, shape).to(condition.device).expand_as(condition)

        def conditioned(x_t: Tensor, level: Tensor) -> Tensor:
            return _answer(network, options.objective, x_t, level, condition)

        schedule = schedule_of(options)
        denoise = denoiser(conditioned, schedule, options.objective)
        return SAMPLERS[options.sampler](denoise, schedule, draw(), time_grid(options.steps), draw)


IDENTITY = {"low": -1.0, "high": 1.0}  # the state of log-mels that are as they are


def schedule_of(options: Options) -> Schedule:
    """Down to no signal; the published one for ``noise``, from which x₀ could not be told there."""
    plain = CosineAngle(0.95, 0.02) if options.objective == "noise" else CosineAngle()
    return Shifted(plain, _noise_shift(options))


def _noise_shift(options: Options) -> float:
    """Much noise teaches most: only where little is left of the target is the source needed."""
    if options.noise_shift is not None:
        return options.noise_shift
    return 8.0 if options.objective == "x0" else 1.0


def _answer(
    network: nn.Module, objective: str, x_t: Tensor, level: Tensor, condition: Tensor
) -> Tensor:
    """The network's prediction from x_t [B, 1, M, S] and the source.

    To predict x₀ it is given α·x_t, what x_t tells of it: pure noise then comes in as nothing, and
    the network starts as a regression from the source. To predict noise it must see the noise.
    """
    alpha = (level * (math.pi / 2)).cos()[:, None, None, None]
    seen = alpha * x_t if objective == "x0" else x_t
    return network(seen, level, condition).float()


def _recipe(options: Options) -> Recipe:
    if options.variant == "published":
        return Recipe(
            batch_size=options.batch,
            lr=options.lr,
            lr_final=options.lr,
            warmup=0,
            betas=(0.9, 0.999),
            weight_decay=1e-4,
            clip=0.0,
        )
    return Recipe(batch_size=options.batch, lr=options.lr, lr_final=options.lr / 10)
