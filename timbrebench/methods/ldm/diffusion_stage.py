"""The second stage: diffusion of latents under a style and what is played.

It learns to denoise a clip given *another clip of the same instrument, from another track*, as
style: only so is the style worth listening to. (The published objective is in
``published_diffusion``.)
"""

# Shapes: B batch, M mel bands, S frames of a crop, C latent channels, W latents of a crop.

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from timbrebench.core import mel
from timbrebench.core.interfaces import Recipe, Stage, StageContext
from timbrebench.methods.diffusion.losses import by_time
from timbrebench.methods.diffusion.parameterisation import diffuse, target_of, weight_of
from timbrebench.methods.diffusion.schedules import CosineAngle, level_of
from timbrebench.methods.ldm import autoencoder_stage, content, data, latents
from timbrebench.methods.ldm.autoencoder import SCALE
from timbrebench.methods.ldm.plugin import Options
from timbrebench.methods.ldm.style import ContentEncoder, Style, StyleEncoder
from timbrebench.methods.ldm.unet import UNet


class LatentDenoiser(nn.Module):
    """The diffusion network with its two conditions. All latents are standardised."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        C, widths, size = config["latent_dim"], config["widths"], config["style_dim"]
        with_content = config["variant"] == "content"
        self.style = StyleEncoder(C, size)
        self.content = ContentEncoder(widths[0]) if with_content else None
        self.unet = UNet(C, widths, size, widths[0] if with_content else 0)

    def forward(self, z: Tensor, level: Tensor, style: Style, content: Tensor | None) -> Tensor:
        """z [B, C, 16, W], level [B] in 0..1, content [B, C', 16, W] → the answer, like z."""
        return self.unet(z, level, style.tokens, style.vector, content)

    def encode_content(self, image: Tensor) -> Tensor | None:
        """[B, 1, M, S] → [B, C', 16, S/8]; None where the variant has no content."""
        return None if self.content is None else self.content(image)


class DiffusionStage(Stage):
    """v-prediction on cached latents, cosine schedule down to no signal, min-SNR weights."""

    def __init__(self, options: Options, instruments: Sequence[str]) -> None:
        config = {
            "instruments": list(instruments),
            "variant": options.variant,
            "mel": options.mel,
            "latent_dim": options.latent_dim,
            "widths": list(options.widths),
            "style_dim": options.style_dim,
            "objective": options.objective,
            "style_drop": options.style_drop,
            "content_drop": options.content_drop,
        }
        recipe = Recipe(batch_size=options.batch, lr=options.lr, lr_final=options.lr / 10)
        super().__init__(
            "diffusion", config, recipe, share=1 - autoencoder_stage.SHARE, depends=("autoencoder",)
        )
        self.spec = mel.preset(options.mel)
        self.width = self.spec.frames // SCALE  # of a latent crop
        self.schedule = schedule_of(options.objective)
        self.with_content = options.variant == "content"

    def build(self) -> nn.Module:
        return LatentDenoiser(self.config)

    def specimen(self, batch: int) -> dict[str, Tensor]:
        latent = torch.zeros(
            batch, self.config["latent_dim"], self.spec.n_mels // SCALE, self.width
        )
        one = torch.ones(batch)
        image = torch.zeros(batch, 1, self.spec.n_mels, self.spec.frames)
        return {
            **{"z": latent, "style": latent, "wrong_style": latent, "noise": latent},
            **{"t": 0.5 * one, "keep_style": one, "keep_content": one},
            **({"content": image} if self.with_content else {}),
        }

    # ------------------------------------------------------------------ examples

    def prepare(self, context: StageContext) -> dict[str, Any]:
        encoder = context.depends["autoencoder"]
        self.latents: dict[str, data.Library] = {}
        self.activations: dict[str, data.Library] = {}
        for split in ("train", "valid"):
            logs = data.log_mels(context.corpus, split, self.config["instruments"], self.spec)
            self.latents[split] = latents.encoded(encoder, logs, self.spec)
            if self.with_content:
                self.activations[split] = latents.activations(logs, self.spec)
        scale = latents.moments(self.latents["train"])
        self.latents = {s: latents.standardised(z, scale) for s, z in self.latents.items()}
        return {**encoder.state, **{k: v.tolist() for k, v in scale.items()}}

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        library = self.latents[split]
        names = sorted(library)
        instrument = data.pick(rng, names)
        wrong = _another(rng, names, instrument)
        track = data.pick(rng, sorted(library[instrument]))
        style_track = _another(rng, sorted(library[instrument]), track)
        wrong_track = data.pick(rng, sorted(library[wrong]))
        start = data.start_of_crop(rng, library[instrument][track], self.width)
        z = library[instrument][track][..., start : start + self.width]
        dropped = np.array([self.config["style_drop"], self.config["content_drop"]])
        keep = (rng.random(2) >= dropped).astype(np.float32)
        example = {
            "z": z,
            "style": data.crop(rng, library[instrument][style_track], self.width),
            "wrong_style": data.crop(rng, library[wrong][wrong_track], self.width),
            "noise": rng.standard_normal(z.shape, dtype=np.float32),
            "t": np.array(rng.random(), np.float32),
            "keep_style": keep[0],
            "keep_content": keep[1],
        }
        if self.with_content:
            sounding = self.activations[split][instrument][track]
            example["content"] = self._image(sounding, start * SCALE, rng)
        return example

    def _image(self, sounding: np.ndarray, start: int, rng: np.random.Generator) -> np.ndarray:
        """[1, M, S]: what is played from the frame ``start`` on, its timbre perturbed."""
        part = sounding[:, start : start + self.spec.frames].astype(np.float32)
        return content.image(content.perturbed(part, rng), self.spec)[None]

    # ------------------------------------------------------------------ loss

    def loss(self, module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        assert isinstance(module, LatentDenoiser)
        style = module.style.drop(module.style(batch["style"]), batch["keep_style"])
        errors, weight = self._errors(module, batch, style)  # [B], [B]
        parts = {"loss": (weight * errors).mean(), **by_time(errors, batch["t"])}
        if not module.training:
            parts |= self._gap(module, batch)
        return parts

    def _errors(
        self, module: LatentDenoiser, batch: dict[str, Tensor], style: Style
    ) -> tuple[Tensor, Tensor]:
        """Squared errors of the answers and their weights, each [B]."""
        alpha, sigma = (rate[:, None, None, None] for rate in self.schedule(batch["t"]))
        z, noise, objective = batch["z"], batch["noise"], self.config["objective"]
        played = module.encode_content(batch["content"]) if self.with_content else None
        if played is not None:
            played = played * batch["keep_content"][:, None, None, None]
        z_t = diffuse(z, noise, alpha, sigma)
        answer = module(z_t, level_of(alpha, sigma).flatten(), style, played)
        wanted = target_of(objective, z, noise, alpha, sigma)
        weight = weight_of("min-snr", objective, alpha, sigma).flatten()
        return (answer.float() - wanted).square().mean(dim=(1, 2, 3)), weight

    def _gap(self, module: LatentDenoiser, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss under a style of the right instrument and of a wrong one: were they equal,
        the style would be ignored."""
        right, _ = self._errors(module, batch, module.style(batch["style"]))
        wrong, _ = self._errors(module, batch, module.style(batch["wrong_style"]))
        return {"loss_by_right_style": right.mean(), "loss_by_wrong_style": wrong.mean()}


def schedule_of(objective: str) -> CosineAngle:
    """Cosine down to no signal; noise prediction needs a rest of it."""
    return CosineAngle(1.0, 0.02 if objective == "noise" else 0.0)


def _another(rng: np.random.Generator, names: Sequence[str], than: str) -> str:
    """One of the other names, or the same where there is no other."""
    return data.pick(rng, [n for n in names if n != than] or names)
