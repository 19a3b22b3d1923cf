"""The first published stage: images of mel slices to latents and back."""

# Shapes: B batch, M mel bands, S frames of a slice.

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timbrebench.core import mel
from timbrebench.core.interfaces import Recipe, Stage, StageContext
from timbrebench.methods.ldm import data, published, published_data
from timbrebench.methods.ldm.autoencoder import SCALE
from timbrebench.methods.ldm.corrections import OF_THE_AUTOENCODER, corrections_of
from timbrebench.methods.ldm.perceptual import Perceptual
from timbrebench.methods.ldm.plugin import Options

SHARE = 0.15  # of the budget
PERCEPTUAL_WEIGHT, KL_WEIGHT = 0.1, 0.01
LATENT_NOISE = 0.1  # deviation, where latents are corrected; BatchNorm keeps them near 1
# The rate stays, but for the plateaus of the first stage; nothing is clipped or averaged.
CONSTANT = Recipe(lr=5e-5, lr_final=5e-5, warmup=0, betas=(0.9, 0.999), clip=0.0, ema=0.0)


class Autoencoder(nn.Module):
    """The published encoder and decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = published.SpectrogramEncoder()
        self.decoder = published.SpectrogramDecoder()


class PublishedAutoencoderStage(Stage):
    """MSE, feature maps, and the published "KL", which is least at |z| = 1."""

    def __init__(self, options: Options, instruments: Sequence[str]) -> None:
        self.corrections = corrections_of(options) & OF_THE_AUTOENCODER
        config = {
            "variant": "published",
            "instruments": list(instruments),
            "mel": options.mel,
            "perceptual": options.perceptual,
            "corrections": sorted(self.corrections),
        }
        mended = "optimiser" in self.corrections
        recipe = Recipe() if mended else replace(CONSTANT, schedule="plateau")
        recipe = replace(recipe, batch_size=options.autoencoder_batch)
        super().__init__("autoencoder", config, recipe, share=SHARE)
        self.spec = mel.preset(options.mel)
        self.perceptual = Perceptual(options.perceptual)

    def build(self) -> nn.Module:
        self.perceptual.build()
        return Autoencoder()

    def specimen(self, batch: int) -> dict[str, Tensor]:
        M, S = self.spec.n_mels, self.spec.frames
        noise = torch.zeros(batch, published.LATENT_DIM, M // SCALE, S // SCALE)
        return {"mel": torch.zeros(batch, 1, M, S), "noise": noise}

    def prepare(self, context: StageContext) -> dict[str, Any]:
        self.perceptual.load(context.device)
        names = self.config["instruments"]
        logs = {s: data.log_mels(context.corpus, s, names, self.spec) for s in ("train", "valid")}
        every = (log for tracks in logs["train"].values() for log in tracks.values())
        state = mel.fit_range(every, self.spec)
        scaling = published_data.scaling_of(self.corrections, self.spec, state)
        self.slices = {}
        for split, library in logs.items():
            if library:
                cut = published_data.cut(library, scaling, self.spec)
                self.slices[split] = [image for slices in cut.values() for image in slices.images]
        return dict(state)

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        slices = self.slices[split]
        image = slices[int(rng.integers(len(slices)))][None]
        shape = (published.LATENT_DIM, image.shape[1] // SCALE, image.shape[2] // SCALE)
        return {"mel": image, "noise": rng.standard_normal(shape, dtype=np.float32)}

    def loss(self, module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        assert isinstance(module, Autoencoder)
        mended = "latents" in self.corrections
        z = module.encoder(batch["mel"])
        made = module.decoder(z + LATENT_NOISE * batch["noise"] if mended else z)
        parts = reconstruction(self.perceptual, made, batch["mel"])
        kl = 0.5 * (z.square() - 1 - (z.square() + 1e-6).log()).mean()
        parts["loss"] = parts["loss"] + (0.0 if mended else KL_WEIGHT) * kl
        return {**parts, "kl": kl}


def reconstruction(perceptual: Perceptual, made: Tensor, image: Tensor) -> dict[str, Tensor]:
    """MSE and feature maps of images [B, 1, M, S], and their weighted sum under 'loss'."""
    mse, felt = F.mse_loss(made, image), perceptual(made, image)
    return {"loss": mse + PERCEPTUAL_WEIGHT * felt, "mse": mse, "perceptual": felt}
