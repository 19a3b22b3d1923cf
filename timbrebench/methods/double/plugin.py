"""What double is."""

from dataclasses import dataclass

from timbrebench.core.interfaces import MethodInfo
from timbrebench.core.options import option
from timbrebench.methods.diffusion.unconditional_options import PAPER, InstrumentOptions


@dataclass(frozen=True)
class Options(InstrumentOptions):
    """Of the model, which cross shares, and of the parting."""

    split: int = option(
        10, "sampling step at which the second model takes over a copy", affects="sampling", low=0
    )
    match: str = option(
        "envelope",
        "what of the copy is fitted to the second instrument where it takes over: nothing, or the "
        "spectral envelope, as far as the noise is strong",
        affects="sampling",
        choices=("none", "envelope"),
    )


INFO = MethodInfo(
    "double",
    "a pair from one noise: the second model takes over half-way; one model an instrument",
    "timbrebench.methods.double.model:Double",
    Options,
    presets={"quick": {}, "paper": {**PAPER, "match": "none"}},
    source="Singh & Palariya 2023",
    kinds=("pair",),
    trains_for=("transfer",),
    supervision="unpaired",
    shares=("timbrebench.methods.diffusion",),
)
