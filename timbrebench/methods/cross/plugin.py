"""What cross is."""

from dataclasses import dataclass

from timbrebench.core.interfaces import MethodInfo
from timbrebench.core.options import option
from timbrebench.methods.diffusion.unconditional_options import PAPER, InstrumentOptions


@dataclass(frozen=True)
class Options(InstrumentOptions):
    """Of the model, which double shares, and of the crossing."""

    start: str = option(
        "noise",
        "how the source is diffused: by noise, or by inversion with a model of the source, which "
        "is trained too",
        choices=("noise", "inversion"),
    )
    match: str = option(
        "envelope",
        "what of the source is fitted to the target before noise is added: its level, or, unless "
        "start is inversion, its spectral envelope too, as far as the noise is strong",
        affects="sampling",
        choices=("level", "envelope"),
    )
    k: int | None = option(
        None,
        "forward steps of 500 that the source is diffused; none: chosen on validation tracks",
        affects="sampling",
        low=0,
        high=500,
    )
    s: int | None = option(
        None,
        "sampling step that denoising starts at; none: the one that matches k",
        affects="sampling",
        low=0,
    )


INFO = MethodInfo(
    "cross",
    "the source is half drowned in noise and denoised as the target; one model an instrument",
    "timbrebench.methods.cross.model:Cross",
    Options,
    presets={"quick": {}, "paper": {**PAPER, "match": "level"}},
    source="Singh & Palariya 2023",
    kinds=("transfer",),
    trains_for=("pair",),
    chosen={"k": (50, 100, 150, 200, 250, 300, 350, 400)},
    supervision="unpaired",
    shares=("timbrebench.methods.diffusion",),
)
