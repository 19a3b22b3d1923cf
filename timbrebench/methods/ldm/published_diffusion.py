"""The second published stage, its faults kept but for those that the option ``correct`` names.

A pair is a content slice and a style slice of *another* instrument, and the content's own latent
is denoised under the other's style: the style can only mislead, so it is ignored. At the last
step √ᾱ is still 0.364, yet generation begins from pure noise. The decoder goes on learning, and the
frozen encoder stays in train mode. docs/ldm.md has the rest.
"""

# Shapes: B batch, N slices, M mel bands, S frames of a slice.

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timbrebench.core import mel
from timbrebench.core.interfaces import Recipe, Stage, StageContext
from timbrebench.core.mapped import joined_on_disk
from timbrebench.core.spectrograms import pairs_of
from timbrebench.methods.diffusion.parameterisation import diffuse
from timbrebench.methods.diffusion.schedules import LinearBeta, Schedule
from timbrebench.methods.ldm import data, latents, published, published_data
from timbrebench.methods.ldm.autoencoder import SCALE
from timbrebench.methods.ldm.corrections import corrections_of
from timbrebench.methods.ldm.diffusion_stage import schedule_of
from timbrebench.methods.ldm.perceptual import Perceptual
from timbrebench.methods.ldm.plugin import Options
from timbrebench.methods.ldm.published_autoencoder import (
    CONSTANT,
    SHARE,
    Autoencoder,
    reconstruction,
)

STEPS = 200  # T
PUBLISHED_SCHEDULE = LinearBeta(STEPS, 1e-4, 0.02)


class Denoiser(nn.Module):
    """The published U-Net and the encoder of its styles. Beside them the autoencoder: its decoder
    goes on learning, and of its encoder, whose weights are fixed, BatchNorm's statistics."""

    def __init__(self, corrections: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.autoencoder = None if "latents" in corrections else Autoencoder()
        if self.autoencoder is not None:
            self.autoencoder.encoder.requires_grad_(False)
        self.style = published.StyleEncoder()
        self.unet = published.UNet(
            residual_attention="attention" in corrections, norm="norm" in corrections
        )


def schedule_in(corrections: frozenset[str]) -> Schedule:
    """The published one, or that of the other variants where they predict noise."""
    return schedule_of("noise") if "schedule" in corrections else PUBLISHED_SCHEDULE


class PublishedDiffusionStage(Stage):
    """MSE of the noise in a content latent, under a style of another instrument."""

    def __init__(self, options: Options, instruments: Sequence[str]) -> None:
        self.corrections = corrections_of(options)
        config = {
            "variant": "published",
            "instruments": list(instruments),
            "mel": options.mel,
            "perceptual": options.perceptual,
            "corrections": sorted(self.corrections),
        }
        if "optimiser" in self.corrections:
            recipe = Recipe(lr=options.lr, lr_final=options.lr / 10)
        else:
            recipe = replace(CONSTANT, lr=options.lr, lr_final=options.lr, weight_decay=0.0)
        recipe = replace(recipe, batch_size=options.batch)
        super().__init__("diffusion", config, recipe, share=1 - SHARE, depends=("autoencoder",))
        self.spec = mel.preset(options.mel)
        self.schedule = schedule_in(self.corrections)
        self.cached = "latents" in self.corrections
        self.perceptual = Perceptual(options.perceptual)
        # Weights of the autoencoder, once there are any: arrays, as a trace cannot copy tensors.
        self.first: dict[str, np.ndarray] = {}

    def build(self) -> nn.Module:
        self.perceptual.build()
        module = Denoiser(self.corrections)
        if module.autoencoder is not None and self.first:
            first = {name: torch.tensor(values) for name, values in self.first.items()}
            module.autoencoder.load_state_dict(first)
        return module

    def specimen(self, batch: int) -> dict[str, Tensor]:
        M, S = self.spec.n_mels, self.spec.frames
        z = torch.zeros(batch, published.LATENT_DIM, M // SCALE, S // SCALE)
        style = torch.zeros(batch, 1, M, S)
        styles = {"right_style": style, "wrong_style": style}
        content = {"z": z} if self.cached else {"mel": style}
        return {**content, "noise": z, "step": torch.ones(batch), **styles}

    # ------------------------------------------------------------------ examples

    def prepare(self, context: StageContext) -> dict[str, Any]:
        encoder = context.depends["autoencoder"]
        assert isinstance(encoder.module, Autoencoder)
        self.perceptual.load(context.device)
        self.first = {k: v.cpu().numpy() for k, v in encoder.module.state_dict().items()}
        scaling = published_data.scaling_of(self.corrections, self.spec, encoder.state)
        self.slices, self.pairs = {}, {}
        for split in ("train", "valid"):
            logs = data.log_mels(context.corpus, split, self.config["instruments"], self.spec)
            if not logs:
                continue
            slices = published_data.cut(logs, scaling, self.spec)
            self.slices[split] = slices
            counts = {name: len(part.images) for name, part in slices.items()}
            self.pairs[split] = pairs_of(counts)
        return {**encoder.state, **(self._encode(encoder.module) if self.cached else {})}

    def _encode(self, module: Autoencoder) -> dict[str, list[float]]:
        """Latents of all slices, their channels of mean 0 and deviation 1; what undoes that."""
        self.latents = {
            split: {name: _encoded(module, part.images) for name, part in slices.items()}
            for split, slices in self.slices.items()
        }
        train = {name: {"": z.swapaxes(0, 1)} for name, z in self.latents["train"].items()}
        scale = latents.moments(train)
        mean, deviation = (scale[k][:, None, None] for k in ("mean", "deviation"))
        for split in self.latents.values():
            for name, z in split.items():
                split[name] = joined_on_disk((part - mean) / deviation for part in _parts(z))
        return {k: v.tolist() for k, v in scale.items()}

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        rows, slices = self.pairs[split], self.slices[split]
        label1, index1, label2, index2 = rows[int(rng.integers(len(rows)))]
        image = slices[label1].images[index1][None]
        content = {"z": self.latents[split][label1][index1]} if self.cached else {"mel": image}
        shape = (published.LATENT_DIM, image.shape[1] // SCALE, image.shape[2] // SCALE)
        return {
            **content,
            "noise": rng.standard_normal(shape, dtype=np.float32),
            "step": np.array(rng.integers(1, STEPS + 1), np.float32),
            "wrong_style": slices[label2].images[index2][None],
            "right_style": published_data.of_another_track(rng, slices[label1], index1)[None],
        }

    # ------------------------------------------------------------------ loss

    def loss(self, module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """As published it learns from the *wrong* style; in validation both are logged."""
        assert isinstance(module, Denoiser)
        learnt = "right_style" if "objective" in self.corrections else "wrong_style"
        parts, z = self._decoded(module, batch)
        error = self._error(module, batch, z, learnt)
        parts |= {"loss": parts.get("loss", 0.0) + error, "noise": error}
        if not module.training:
            for style in ("right_style", "wrong_style"):
                parts[f"loss_by_{style}"] = self._error(module, batch, z, style)
        return parts

    def _decoded(
        self, module: Denoiser, batch: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The parts of the decoder's loss, where it learns, and the latents [B, C, M/8, S/8]."""
        if module.autoencoder is None:
            return {}, batch["z"]
        with torch.no_grad():  # as published in train mode, by the statistics of the batch
            z = module.autoencoder.encoder(batch["mel"])
        return reconstruction(self.perceptual, module.autoencoder.decoder(z), batch["mel"]), z

    def _error(self, module: Denoiser, batch: dict[str, Tensor], z: Tensor, style: str) -> Tensor:
        rates = self.schedule(batch["step"] / STEPS)
        alpha, sigma = (rate[:, None, None, None] for rate in rates)
        z_t = diffuse(z, batch["noise"], alpha, sigma)
        answer = module.unet(z_t, batch["step"] - 1, module.style(batch[style]))
        return F.mse_loss(answer, batch["noise"])


def _encoded(module: Autoencoder, images: np.ndarray) -> np.ndarray:
    """[N, 32, 16, S/8], with the encoder's running statistics."""
    device = next(module.parameters()).device
    with torch.inference_mode():
        return joined_on_disk(
            module.encoder(torch.tensor(part)[:, None].to(device)).cpu().numpy()
            for part in _parts(images)
        )


def _parts(values: np.ndarray) -> Iterator[np.ndarray]:
    """The slices, a few at a time."""
    yield from (values[i : i + 64] for i in range(0, len(values), 64))
