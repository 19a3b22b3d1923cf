"""What ldm is."""

from dataclasses import dataclass

from timbrebench.core.interfaces import MethodInfo
from timbrebench.core.options import option


@dataclass(frozen=True)
class Options:
    """Of latent diffusion. The published variant has the report's sizes, objective and sampling:
    latent_dim, the widths, style_dim, objective, guidance, start, style_clips and the shares that
    are dropped are of the other two; correct is of the published one."""

    variant: str = option(
        "content",
        "content: a view of the source without its timbre is a condition; noise: the source is in "
        "the start noise only; published: the report's networks and objective",
        choices=("content", "noise", "published"),
    )
    correct: str = option(
        "",
        "published: faults to mend, joined by '+': objective, schedule, attention, norm, range, "
        "latents, optimiser, or all",
    )
    mel: str = option("soundstream", "mel preset", choices=("soundstream", "ldm"))
    latent_dim: int = option(8, "channels of a latent (published: 32)", low=1, high=64)
    autoencoder_width: int = option(32, "channels of the autoencoder", low=4)
    widths: tuple[int, ...] = option(
        (64, 96, 160), "channels of the diffusion network by level, multiples of 32", low=32
    )
    style_dim: int = option(64, "size of a style token", low=8)
    batch: int = option(32, "examples a step of the diffusion", low=1)
    autoencoder_batch: int = option(8, "examples a step of the autoencoder", low=1)
    lr: float = option(1e-3, "highest learning rate of the diffusion", low=0)
    objective: str = option(
        "v", "what the diffusion network predicts", choices=("v", "x0", "noise")
    )
    style_drop: float = option(0.1, "share of examples without style, for guidance", low=0, high=1)
    content_drop: float = option(
        0.1, "share of examples without content, to generate from nothing", low=0, high=1
    )
    perceptual: str = option(
        "none",
        "perceptual part of the autoencoder's loss; vggish needs its weights",
        choices=("none", "multiscale", "vggish"),
    )
    steps: int = option(20, "sampling steps", affects="sampling", low=1)
    sampler: str = option(
        "ddim", "how noise is removed", affects="sampling", choices=("ddim", "ddpm", "dpmpp")
    )
    start_noise: float | None = option(
        None,
        "share of the way to pure noise at which transfer starts; none: for content and noise "
        "chosen on validation tracks, for published the whole way, or what matches its schedule "
        "where that is corrected",
        affects="sampling",
        low=0.01,
        high=1,
    )
    start: str = option(
        "noise",
        "what transfer starts from: the source with noise, or its DDIM inversion under its own "
        "style",
        affects="sampling",
        choices=("noise", "inversion"),
    )
    guidance: float | None = option(
        None,
        "weight of the style, 1: as trained; none: chosen on validation tracks, for generation 3",
        affects="sampling",
        low=0,
    )
    style_clips: int = option(
        8, "slices of the target whose style is averaged", affects="sampling", low=1
    )
    overlap: int = option(
        32, "frames over which slices are cross-faded", affects="sampling", low=0, high=64
    )


INFO = MethodInfo(
    "ldm",
    "latent diffusion with cross-attention to a style clip; one model for all instruments",
    "timbrebench.methods.ldm.model:LatentDiffusion",
    Options,
    presets={
        "quick": {},
        "paper": {
            "variant": "published",
            "mel": "ldm",
            "latent_dim": 32,
            "batch": 128,
            "autoencoder_batch": 128,
            "lr": 5e-4,
            "objective": "noise",
            "perceptual": "vggish",
        },
    },
    source="Prioteasa & Stempel-Hauburger 2025, after arXiv 2404.14771",
    kinds=("transfer", "generate"),
    supervision="unpaired",
    chosen={"guidance": (1.5, 3.0, 5.0), "start_noise": (0.9, 1.0)},
    shares=("timbrebench.methods.diffusion",),
)
