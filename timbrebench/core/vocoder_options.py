"""Options of the vocoders. Light: the infos read them, the classes are in ``core.vocoders``."""

from dataclasses import dataclass

from timbrebench.core.options import option


@dataclass(frozen=True)
class GriffinLimOptions:
    """Fast Griffin-Lim (Perraudin, Balazs & Søndergaard 2013)."""

    iterations: int = option(32, "rounds of STFT and inverse", affects="sampling", low=1, high=1000)
    momentum: float = option(0.99, "0 is plain Griffin-Lim", affects="sampling", low=0, high=1)


@dataclass(frozen=True)
class SoundStreamOptions:
    """The SoundStream mel decoder, as an ONNX file that the user has."""

    path: str = option("", "the decoder's ONNX file", affects="sampling")
