"""The two stages of the corrected system: an autoencoder of mels, then diffusion of its latents.

The diffusion learns to denoise a clip given *another clip of the same instrument, from another
track*, as style: only so is the style worth listening to. (The published objective is in
``published_stages``.)
"""

# Shapes: B batch, M mel bands, S frames of a crop, C latent channels, P pitches.

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from timbrebench.core import mel
from timbrebench.core.interfaces import Recipe, Stage, StageContext
from timbrebench.methods.diffusion.parameterisation import diffuse, target_of, weight_of
from timbrebench.methods.diffusion.schedules import CosineAngle, level_of
from timbrebench.methods.ldm import content, data
from timbrebench.methods.ldm.autoencoder import SCALE, Autoencoder
from timbrebench.methods.ldm.perceptual import Perceptual
from timbrebench.methods.ldm.plugin import Options
from timbrebench.methods.ldm.style import ContentEncoder, Style, StyleEncoder
from timbrebench.methods.ldm.unet import UNet

AUTOENCODER_SHARE, DIFFUSION_SHARE = 0.15, 0.85
KL_WEIGHT = 1e-4  # per latent value: a faint pull to a Gaussian
PERCEPTUAL_WEIGHT = 0.1
LEVELS = 4  # of noise, that the loss is logged by


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
        super().__init__("autoencoder", config, recipe, share=AUTOENCODER_SHARE)
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
        state = mel.fit_range((v for ts in logs["train"].values() for v in ts.values()), spec)
        self.mels = {
            split: [
                data.normalised(log, state, spec.frames)
                for name in sorted(library)
                for log in library[name].values()
            ]
            for split, library in logs.items()
        }
        return dict(state)

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        mels = self.mels[split]
        crop = data.crop(rng, mels[int(rng.integers(len(mels)))], self.spec.frames)
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
            "diffusion", config, recipe, share=DIFFUSION_SHARE, depends=("autoencoder",)
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
            self.latents[split] = _encoded(encoder.module, logs, encoder.state, self.spec)
            if self.with_content:
                self.activations[split] = _activations(logs, self.spec)
        scale = _moments(self.latents["train"])
        for library in self.latents.values():
            _standardise(library, scale)
        return {**encoder.state, **{k: v.tolist() for k, v in scale.items()}}

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        library = self.latents[split]
        names = sorted(library)
        instrument = data.pick(rng, names)
        track, other = _two_of(rng, sorted(library[instrument]))
        latents = library[instrument][track]
        start = data.start_of_crop(rng, latents, self.width)
        z = latents[..., start : start + self.width]
        wrong = data.pick(rng, [n for n in names if n != instrument] or names)
        wrong_track = data.pick(rng, sorted(library[wrong]))
        kept = rng.random(2) >= (self.config["style_drop"], self.config["content_drop"])
        example = {
            "z": z,
            "style": data.crop(rng, library[instrument][other], self.width),
            "wrong_style": data.crop(rng, library[wrong][wrong_track], self.width),
            "noise": rng.standard_normal(z.shape, dtype=np.float32),
            "t": np.float32(rng.random()),
            "keep_style": np.float32(kept[0]),
            "keep_content": np.float32(kept[1]),
        }
        if self.with_content:
            sounding = self.activations[split][instrument][track]
            part = sounding[:, start * SCALE : (start + self.width) * SCALE].astype(np.float32)
            example["content"] = content.image(content.perturbed(part, rng), self.spec)[None]
        return example

    # ------------------------------------------------------------------ loss

    def loss(self, module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        assert isinstance(module, LatentDenoiser)
        style = module.style.drop(module.style(batch["style"]), batch["keep_style"])
        errors, weight = self._errors(module, batch, style)  # [B], [B]
        parts = {"loss": (weight * errors).mean(), **by_level(errors, batch["t"])}
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


def by_level(errors: Tensor, t: Tensor) -> dict[str, Tensor]:
    """The mean of errors [B] in each of ``LEVELS`` parts of the time t [B]."""
    level = (t * LEVELS).long().clamp(max=LEVELS - 1)
    parts = {}
    for n in range(LEVELS):
        inside = (level == n).to(errors)
        mean = (errors * inside).sum() / inside.sum().clamp(min=1)
        parts[f"loss_by_noise_{(n + 1) / LEVELS:g}"] = mean.detach()
    return parts


# ---------------------------------------------------------------------------- latents


def _encoded(module: nn.Module, logs: data.Library, state: Any, spec: mel.MelSpec) -> data.Library:
    """Whole tracks as latents [C, 16, T/8]; the encoder is in eval mode and stays so."""
    assert isinstance(module, Autoencoder)
    device = next(module.parameters()).device

    def encode(log: np.ndarray) -> np.ndarray:
        values = torch.from_numpy(data.normalised(log, state, spec.frames)).to(device)
        with torch.inference_mode():
            return module.encode(values[None, None])[0].float().cpu().numpy()

    return {i: {t: encode(log) for t, log in tracks.items()} for i, tracks in logs.items()}


def _activations(logs: data.Library, spec: mel.MelSpec) -> data.Library:
    """[P, T] of whole tracks, as half floats: they are most of what a run keeps in memory."""
    return {
        i: {t: _aligned(content.activations(log, spec), spec) for t, log in tracks.items()}
        for i, tracks in logs.items()
    }


def _aligned(values: np.ndarray, spec: mel.MelSpec) -> np.ndarray:
    """Lengthened to what the latents of the track cover."""
    frames = max(spec.frames, -(-values.shape[1] // SCALE) * SCALE)
    return data.lengthen(values.astype(np.float16), frames, 0.0)


def _moments(library: data.Library) -> dict[str, np.ndarray]:
    """Mean and deviation of each latent channel, [C]."""
    arrays = [z for tracks in library.values() for z in tracks.values()]
    flat = np.concatenate([z.reshape(len(z), -1) for z in arrays], axis=1)
    return {"mean": flat.mean(axis=1), "deviation": flat.std(axis=1) + 1e-6}


def _standardise(library: data.Library, scale: dict[str, np.ndarray]) -> None:
    mean, deviation = (scale[k][:, None, None] for k in ("mean", "deviation"))
    for tracks in library.values():
        for track in tracks:
            tracks[track] = (tracks[track] - mean) / deviation


def _two_of(rng: np.random.Generator, names: Sequence[str]) -> tuple[str, str]:
    """Two different names, or the only one twice."""
    first = data.pick(rng, names)
    return first, data.pick(rng, [n for n in names if n != first] or names)
