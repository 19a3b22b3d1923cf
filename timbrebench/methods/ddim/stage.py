"""What ddim trains for an instrument."""

# Shapes: B batch, M mel bands, S frames of a clip.

import numpy as np
from torch import Tensor, nn

from timbrebench.core.errors import BenchError
from timbrebench.core.features import crop
from timbrebench.core.interfaces import Recipe, StageContext
from timbrebench.core.mel import MelSpec, normalise
from timbrebench.methods.ddim.context import CHANNELS, condition_of
from timbrebench.methods.ddim.network import AttendingUNet
from timbrebench.methods.ddim.network_published import PublishedUNet
from timbrebench.methods.ddim.plugin import Options
from timbrebench.methods.diffusion.crops import random_place
from timbrebench.methods.diffusion.losses import denoising_errors
from timbrebench.methods.diffusion.schedules import CosineAngle
from timbrebench.methods.diffusion.unconditional import UnconditionalStage


class ClipStage(UnconditionalStage):
    """Clips of one instrument from noise; with ``context``, mostly given the clip before."""

    def __init__(self, instrument: str, options: Options, spec: MelSpec) -> None:
        config = {
            "variant": options.variant,
            "objective": options.objective,
            "loss": options.loss,
            "weighting": options.weighting,
            "widths": list(options.widths),
            "block_depth": options.block_depth,
            "patch": options.patch,
            "context_drop": options.context_drop if options.context else None,
        }
        super().__init__(
            instrument,
            spec,
            config,
            _recipe(options),
            schedule=schedule_of(options),
            frames=frames_of(options, spec),
        )

    @property
    def context(self) -> bool:
        return self.config["context_drop"] is not None

    def build(self) -> nn.Module:
        widths, depth = self.config["widths"], self.config["block_depth"]
        channels = CHANNELS if self.context else 0
        if self.config["variant"] == "published":
            return PublishedUNet(widths, depth, channels)
        return AttendingUNet(widths, depth, self.spec.n_mels, self.config["patch"], channels)

    def specimen(self, batch: int) -> dict[str, Tensor]:
        tensors = super().specimen(batch)
        if self.context:
            tensors["condition"] = tensors["clip"].repeat(1, CHANNELS, 1, 1)
        return tensors

    def prepare(self, context: StageContext) -> dict[str, float]:
        state = super().prepare(context)
        longest = max(mel.shape[1] for mel in self.crops.mels["train"])
        if self.context and longest < 2 * self.frames:
            raise BenchError(
                f"no training track of {self.name} has {2 * self.frames} frames, two clips.",
                hint="Choose shorter clips with ddim.seconds, or ddim.context=false.",
            )
        return state

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        if not self.context:
            return super().example(rng, split)
        mels = self.crops.mels[split]
        track, start = random_place(rng, [mel.shape[1] for mel in mels], self.frames)
        kept = rng.random() >= self.config["context_drop"] and start >= self.frames
        before = self._clip(mels[track], start - self.frames) if kept else None
        clip = self._clip(mels[track], start)[None]
        return {
            "clip": clip,
            "noise": rng.standard_normal(clip.shape, dtype=np.float32),
            "t": np.asarray(rng.random(), dtype=np.float32),
            "condition": condition_of(before, clip.shape[1:]),
        }

    def _clip(self, log_mel: np.ndarray, start: int) -> np.ndarray:
        """[M, S], normalised."""
        return normalise(crop(log_mel, start, self.frames), self.state)

    def loss(self, module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        parts = super().loss(module, batch)
        if self.context and not module.training:
            wrong = batch | {"condition": batch["condition"].roll(1, dims=0)}
            parts["loss_by_wrong_condition"] = self.errors(module, wrong).mean()
        return parts

    def errors(self, module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        def network(x_t: Tensor, level: Tensor) -> Tensor:
            return module(x_t, level, batch.get("condition"))

        clip, noise, t = batch["clip"], batch["noise"], batch["t"]
        return denoising_errors(network, self.schedule, self.config, clip, noise, t)


def frames_of(options: Options, spec: MelSpec) -> int:
    """Of a training clip: a multiple of what the network divides the width by."""
    halvings = 2 ** (len(options.widths) - 1)
    unit = halvings * (1 if options.variant == "published" else options.patch)
    return max(1, round(options.seconds * spec.rate / spec.hop / unit)) * unit


def schedule_of(options: Options) -> CosineAngle:
    """By default down to pure noise, where sampling begins (zero terminal SNR)."""
    if options.objective == "noise" and options.min_signal_rate == 0:
        raise BenchError(
            "ddim: where no signal is left, x₀ cannot be told from the noise.",
            hint="Set ddim.min_signal_rate above 0, such as 0.02, or ddim.objective=v.",
        )
    return CosineAngle(options.max_signal_rate, options.min_signal_rate)


def _recipe(options: Options) -> Recipe:
    if options.variant == "published":
        return Recipe(
            batch_size=options.batch,
            lr=options.lr,
            lr_final=options.lr,
            warmup=0,
            betas=(0.9, 0.999),
            weight_decay=options.weight_decay,
            clip=0.0,
        )
    return Recipe(
        batch_size=options.batch,
        lr=options.lr,
        lr_final=options.lr / 10,
        weight_decay=options.weight_decay,
    )
