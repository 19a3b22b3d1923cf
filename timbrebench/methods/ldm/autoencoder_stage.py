"""The first stage: mels to latents and back."""

# Shapes: B batch, M mel bands, S frames of a crop, C latent channels.

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from timbrebench.core import features, mel
from timbrebench.core.interfaces import Recipe, Stage, StageContext
from timbrebench.methods.ldm import data
from timbrebench.methods.ldm.autoencoder import SCALE, Autoencoder
from timbrebench.methods.ldm.perceptual import Perceptual
from timbrebench.methods.ldm.plugin import Options

SHARE = 0.15  # of the budget; the rest is the diffusion's
KL_WEIGHT = 1e-4  # per latent value: a faint pull to a Gaussian
PERCEPTUAL_WEIGHT = 0.1


class AutoencoderStage(Stage):
    """L1 of normalised mels, and a faint Gaussian prior on the latents."""

    def __init__(self, options: Options, instruments: Sequence[str]) -> None:
        config = {
            "instruments": list(instruments),
            "mel": options.mel,
            "latent_dim": options.latent_dim,
            "width": options.autoencoder_width,
            "perceptual": options.perceptual,
        }
        recipe = Recipe(batch_size=options.autoencoder_batch, lr=3e-3, lr_final=3e-4, warmup=50)
        super().__init__("autoencoder", config, recipe, share=SHARE)
        self.spec = mel.preset(options.mel)
        self.perceptual = Perceptual(options.perceptual)

    def build(self) -> nn.Module:
        self.perceptual.build()
        return Autoencoder(self.config["latent_dim"], self.config["width"])

    def specimen(self, batch: int) -> dict[str, Tensor]:
        M, S = self.spec.n_mels, self.spec.frames
        noise = torch.zeros(batch, self.config["latent_dim"], M // SCALE, S // SCALE)
        return {"mel": torch.zeros(batch, 1, M, S), "noise": noise}

    def prepare(self, context: StageContext) -> dict[str, Any]:
        self.perceptual.load(context.device)
        names, spec = self.config["instruments"], self.spec
        logs = {s: data.log_mels(context.corpus, s, names, spec) for s in ("train", "valid")}
        every = (log for tracks in logs["train"].values() for log in tracks.values())
        self.state = mel.fit_range(every, spec)
        self.mels = {
            split: [
                data.lengthen(log, spec.frames, mel.silence(spec))
                for name in sorted(library)
                for log in library[name].values()
            ]
            for split, library in logs.items()
        }
        return dict(self.state)

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        mels, frames = self.mels[split], self.spec.frames
        log = mels[int(rng.integers(len(mels)))]
        start = data.start_of_crop(rng, log, frames)
        crop = mel.normalise(features.crop(log, start, frames), self.state)
        shape = (self.config["latent_dim"], crop.shape[0] // SCALE, crop.shape[1] // SCALE)
        return {"mel": crop[None], "noise": rng.standard_normal(shape, dtype=np.float32)}

    def loss(self, module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        assert isinstance(module, Autoencoder)
        mean, log_variance = module.posterior(batch["mel"])
        made = module.decode(mean + (0.5 * log_variance).exp() * batch["noise"])
        l1 = (made - batch["mel"]).abs().mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        felt = self.perceptual(made, batch["mel"])
        loss = l1 + KL_WEIGHT * kl + PERCEPTUAL_WEIGHT * felt
        return {"loss": loss, "l1": l1, "kl": kl, "perceptual": felt}
