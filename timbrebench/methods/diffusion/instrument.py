"""One model an instrument, trained once for all methods that need it."""

# Shapes: M mel bands, T frames.

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Recipe, StageContext
from timbrebench.core.mel import MelSpec, expand, normalise
from timbrebench.core.records import Task
from timbrebench.methods.diffusion.envelope import envelope
from timbrebench.methods.diffusion.network_published import STEPS, PublishedUNet
from timbrebench.methods.diffusion.schedules import (
    CosineAngle,
    LinearBeta,
    Schedule,
    Shifted,
    ZeroTerminal,
)
from timbrebench.methods.diffusion.sizes import check_levels, check_widths
from timbrebench.methods.diffusion.unconditional import UnconditionalStage
from timbrebench.methods.diffusion.unconditional_options import InstrumentOptions
from timbrebench.methods.diffusion.unet import UNet

LARGEST_GAIN_DB = 40.0  # a clip that is quieter still is left to be quiet


class InstrumentStage(UnconditionalStage):
    """An unconditional model of an instrument. No name of a method is in its config: methods with
    equal options share it. The state has the level and the envelope of the training tracks beside
    their range."""

    def __init__(self, instrument: str, options: InstrumentOptions, spec: MelSpec) -> None:
        config = {
            "variant": options.variant,
            "objective": options.objective,
            "loss": options.loss,
            "weighting": options.weighting,
            "widths": list(options.widths),
            "blocks": options.blocks,
            "patch": options.patch,
        }
        super().__init__(
            instrument,
            spec,
            config,
            _recipe(options),
            schedule=schedule_of(options),
            frames=frames_of(options, spec),
        )

    def prepare(self, context: StageContext) -> dict[str, Any]:
        super().prepare(context)
        levels, envelopes = [], []
        for mapped in self.crops.mels["train"]:
            mel = np.ascontiguousarray(mapped)  # one track at a time
            levels.append(level_db(mel, self.spec))
            envelopes.append(envelope(torch.as_tensor(normalise(mel, self.state))))
        self.state["level_db"] = float(np.mean(levels))
        self.state["envelope"] = torch.stack(envelopes).mean(dim=0).tolist()
        return dict(self.state)

    def build(self) -> nn.Module:
        widths, blocks = self.config["widths"], self.config["blocks"]
        if self.config["variant"] == "published":
            return PublishedUNet(widths, blocks)
        patch, size = self.config["patch"], self.spec.n_mels
        return UNet(1, 1, widths, blocks=blocks, patch=patch, size=size)


def instruments_of(tasks: Iterable[Task], *, sources: bool = False) -> list[str]:
    """Those that the tasks need a model of, each once: the targets of transfers, with ``sources``
    what goes in too, and both sides of pairs."""
    found: set[str] = set()
    for task in tasks:
        found.add(task.target)
        if task.kind == "pair":
            found.add(task.b)
        elif sources and task.source:
            found.add(task.source)
    return sorted(found)


def check_sizes(owner: str, options: InstrumentOptions, spec: MelSpec) -> None:
    """An error in words where no network of these sizes can be built."""
    published = options.variant == "published"
    check_widths(owner, options.widths, 32 if published else 8, fewest=2 if published else 1)
    patch = 1 if published else options.patch
    check_levels(owner, patch, len(options.widths), bands=spec.n_mels)  # frames are padded


def frames_of(options: InstrumentOptions, spec: MelSpec) -> int:
    """Of a crop and of a slice: as asked, or the next multiple of what the network divides by."""
    frames = options.frames or spec.frames
    if options.variant == "published":
        return frames  # its network pads
    unit: int = options.patch * 2 ** (len(options.widths) - 1)
    return -(-frames // unit) * unit


def level_db(log_mel: np.ndarray, spec: MelSpec) -> float:
    """The mean power of a log-mel [M, T] in dB."""
    power = expand(torch.as_tensor(log_mel), spec).pow(2 / spec.power).mean()
    return 10 * float(power.clamp(min=1e-20).log10())


def gain_to(state: Mapping[str, float], log_mel: np.ndarray, spec: MelSpec) -> float:
    """The factor that brings audio with this log-mel to the level that a model was trained at.

    A model of one instrument knows music at the level of its training tracks only.
    """
    missing_db = state["level_db"] - level_db(log_mel, spec)
    return float(10 ** (np.clip(missing_db, -LARGEST_GAIN_DB, LARGEST_GAIN_DB) / 20))


def schedule_of(options: InstrumentOptions) -> Schedule:
    """The cosine one ends in pure noise, except for ``noise``, from which x₀ could not be told
    there."""
    noise = options.objective == "noise"
    if noise and options.schedule == "linear-zero":
        raise BenchError(
            "where no signal is left, x₀ cannot be told from the noise.",
            hint="Set schedule to linear or cosine, or objective to x0 or v.",
        )
    base: Schedule = CosineAngle(1.0, 0.02 if noise else 0.0)
    if options.schedule == "linear":
        base = LinearBeta(STEPS)
    elif options.schedule == "linear-zero":
        base = ZeroTerminal(LinearBeta(STEPS), 1 / STEPS)
    return Shifted(base, options.noise_shift)


def _recipe(options: InstrumentOptions) -> Recipe:
    if options.variant == "published":
        return Recipe(
            batch_size=options.batch,
            lr=options.lr,
            lr_final=0.0,
            warmup=500,
            betas=(0.95, 0.999),
            weight_decay=1e-6,
            ema=0.9999,
        )
    return Recipe(batch_size=options.batch, lr=options.lr, lr_final=options.lr / 10)
