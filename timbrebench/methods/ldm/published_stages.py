"""The published objective, its faults kept: the reason why ``stages`` does otherwise.

- A pair is a content slice and a style slice of *another* instrument, and the content's own
  latent is denoised under the other's style: the style can only mislead, so it is ignored.
- Slices are scaled by their own maximum, to 0..1, for a decoder that ends in a tanh.
- At the last step √ᾱ is still 0.364, yet generation begins from pure noise.

Left out, as nothing depends on it: the style loss (weight 3.0) ran under no-grad and so trained
nothing; the decoder went on training beside the frozen encoder, whose BatchNorm followed the
batches. Ours splits by track, not by slice.
"""

# Shapes: B batch, N slices, M mel bands, S frames of a slice.

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timbrebench.core import mel
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Recipe, Stage, StageContext
from timbrebench.methods.diffusion.parameterisation import diffuse
from timbrebench.methods.diffusion.schedules import LinearBeta
from timbrebench.methods.ldm import data, published
from timbrebench.methods.ldm.autoencoder import SCALE
from timbrebench.methods.ldm.perceptual import Perceptual
from timbrebench.methods.ldm.plugin import Options

STEPS = 200  # T
SCHEDULE = LinearBeta(STEPS, 1e-4, 0.02)
PAIRS, PAIR_SEED = 15_000, 42
PERCEPTUAL_WEIGHT, KL_WEIGHT = 0.1, 0.01
_RECIPE = Recipe(lr=5e-5, lr_final=5e-5, warmup=0, betas=(0.9, 0.999), clip=0.0, ema=0.0)


class Autoencoder(nn.Module):
    """The published encoder and decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = published.SpectrogramEncoder()
        self.decoder = published.SpectrogramDecoder()


class PublishedAutoencoderStage(Stage):
    """MSE, feature maps, and the published "KL", which is least at |z| = 1."""

    def __init__(self, options: Options, instruments: Sequence[str]) -> None:
        config = {
            "variant": "published",
            "instruments": list(instruments),
            "mel": options.mel,
            "perceptual": options.perceptual,
        }
        recipe = replace(_RECIPE, batch_size=options.autoencoder_batch, schedule="plateau")
        super().__init__("autoencoder", config, recipe, share=0.15)
        self.spec = mel.preset(options.mel)
        self.perceptual = Perceptual(options.perceptual)

    def build(self) -> nn.Module:
        self.perceptual.build()
        return Autoencoder()

    def specimen(self, batch: int) -> dict[str, Tensor]:
        return {"mel": torch.zeros(batch, 1, self.spec.n_mels, self.spec.frames)}

    def prepare(self, context: StageContext) -> dict[str, Any]:
        self.perceptual.load(context.device)
        names = self.config["instruments"]
        logs = {s: data.log_mels(context.corpus, s, names, self.spec) for s in ("train", "valid")}
        self.slices = {
            split: np.concatenate([*_slices(library, self.spec).values()])
            for split, library in logs.items()
            if library
        }
        every = (log for tracks in logs["train"].values() for log in tracks.values())
        return dict(mel.fit_range(every, self.spec))

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        slices = self.slices[split]
        return {"mel": slices[int(rng.integers(len(slices)))][None]}

    def loss(self, module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        assert isinstance(module, Autoencoder)
        z = module.encoder(batch["mel"])
        made = module.decoder(z)
        mse = F.mse_loss(made, batch["mel"])
        kl = 0.5 * (z.square() - 1 - (z.square() + 1e-6).log()).mean()
        felt = self.perceptual(made, batch["mel"])
        loss = mse + PERCEPTUAL_WEIGHT * felt + KL_WEIGHT * kl
        return {"loss": loss, "mse": mse, "kl": kl, "perceptual": felt}


class Denoiser(nn.Module):
    """The published U-Net and the encoder of its styles."""

    def __init__(self) -> None:
        super().__init__()
        self.style = published.StyleEncoder()
        self.unet = published.UNet()


class PublishedDiffusionStage(Stage):
    """MSE of the noise in a content latent, under a style of another instrument."""

    def __init__(self, options: Options, instruments: Sequence[str]) -> None:
        config = {"variant": "published", "instruments": list(instruments), "mel": options.mel}
        recipe = replace(
            _RECIPE,
            batch_size=options.batch,
            lr=options.lr,
            lr_final=options.lr,
            weight_decay=0.0,
        )
        super().__init__("diffusion", config, recipe, share=0.85, depends=("autoencoder",))
        self.spec = mel.preset(options.mel)

    def build(self) -> nn.Module:
        return Denoiser()

    def specimen(self, batch: int) -> dict[str, Tensor]:
        M, S = self.spec.n_mels, self.spec.frames
        z = torch.zeros(batch, published.LATENT_DIM, M // SCALE, S // SCALE)
        style = torch.zeros(batch, 1, M, S)
        return {"z": z, "noise": z, "style": style, "step": torch.ones(batch)}

    def prepare(self, context: StageContext) -> dict[str, Any]:
        encoder = context.depends["autoencoder"]
        assert isinstance(encoder.module, Autoencoder)
        self.slices, self.latents, self.pairs = {}, {}, {}
        for split in ("train", "valid"):
            logs = data.log_mels(context.corpus, split, self.config["instruments"], self.spec)
            if not logs:
                continue
            self.slices[split] = _slices(logs, self.spec)
            self.latents[split] = {
                name: _encoded(encoder.module, slices)
                for name, slices in self.slices[split].items()
            }
            counts = {name: len(slices) for name, slices in self.slices[split].items()}
            self.pairs[split] = pairs_of(counts)
        return dict(encoder.state)

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        rows = self.pairs[split]
        label1, index1, label2, index2 = rows[int(rng.integers(len(rows)))]
        z = self.latents[split][label1][index1]
        return {
            "z": z,
            "noise": rng.standard_normal(z.shape, dtype=np.float32),
            "style": self.slices[split][label2][index2][None],
            "step": np.float32(rng.integers(1, STEPS + 1)),
        }

    def loss(self, module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        assert isinstance(module, Denoiser)
        rates = SCHEDULE(batch["step"] / STEPS)
        alpha, sigma = (rate[:, None, None, None] for rate in rates)
        z_t = diffuse(batch["z"], batch["noise"], alpha, sigma)
        answer = module.unet(z_t, batch["step"] - 1, module.style(batch["style"]))
        return {"loss": F.mse_loss(answer, batch["noise"])}


# ---------------------------------------------------------------------------- slices and pairs


def scaled(log_mel: Tensor, spec: mel.MelSpec) -> tuple[Tensor, Tensor]:
    """Slices [N, M, S] as 8-bit images in 0..1, 80 dB below their own maximum; and the maxima
    [N, 1, 1] that undo it."""
    peak = log_mel.amax(dim=(1, 2), keepdim=True)
    image = (1 + (log_mel - peak) / _span(spec)).clamp(0, 1)
    return (image * 255).round() / 255, peak


def unscaled(image: Tensor, peak: Tensor, spec: mel.MelSpec) -> Tensor:
    """Images in 0..1 [N, M, S] → log-mels."""
    return (image.clamp(0, 1) - 1) * _span(spec) + peak


def _span(spec: mel.MelSpec) -> float:
    """80 dB in the log-mel's own unit."""
    return mel.RANGE_DB if spec.scale == "db" else mel.RANGE_DB * spec.power * np.log(10) / 20


def pairs_of(counts: dict[str, int]) -> list[tuple[str, int, str, int]]:
    """15 000 rows (label1, index1, label2, index2), labels always different, the same each time."""
    if len(counts) < 2:
        raise BenchError(
            f"ldm[variant=published] pairs different instruments, but there is only {[*counts]}.",
            hint="Add a task with another one, or use another variant.",
        )
    labels, state = sorted(counts), np.random.RandomState(PAIR_SEED)
    rows = []
    for _ in range(PAIRS):
        a, b = (labels[i] for i in state.choice(len(labels), 2, replace=False))
        rows.append((a, int(state.randint(counts[a])), b, int(state.randint(counts[b]))))
    return rows


def _slices(library: data.Library, spec: mel.MelSpec) -> dict[str, np.ndarray]:
    """Instrument → consecutive slices [N, M, S] as images; the last one filled with silence."""
    return {name: _cut(tracks, spec) for name, tracks in library.items()}


def _cut(tracks: data.Tracks, spec: mel.MelSpec) -> np.ndarray:
    parts = []
    for log in tracks.values():
        whole = -(-log.shape[1] // spec.frames) * spec.frames
        filled = data.lengthen(log, whole, mel.silence(spec))
        parts.append(filled.reshape(spec.n_mels, -1, spec.frames).swapaxes(0, 1))
    images, _ = scaled(torch.from_numpy(np.concatenate(parts)), spec)
    return images.numpy().astype(np.float32)


def _encoded(module: Autoencoder, slices: np.ndarray) -> np.ndarray:
    """[N, 32, 16, S/8], with the encoder's running statistics."""
    device = next(module.parameters()).device
    with torch.inference_mode():
        parts = torch.from_numpy(slices)[:, None].split(64)
        return torch.cat([module.encoder(part.to(device)).cpu() for part in parts]).numpy()
