"""What the controls are. ``regress`` stands beside ``palette``, whose network it has."""

from dataclasses import dataclass

from timbrebench.core.interfaces import MethodInfo
from timbrebench.core.mel import PRESETS
from timbrebench.core.options import option
from timbrebench.core.records import KINDS

_HERE = "timbrebench.methods.controls"


@dataclass(frozen=True)
class FitOptions:
    """Of the static filters."""

    seconds: float = option(
        300.0, "audio of each instrument that the filter is fitted to, in seconds", low=1.0
    )


@dataclass(frozen=True)
class OracleOptions:
    """Of the oracle."""

    mel: str = option(
        "soundstream",
        "mel that the reference passes through",
        affects="sampling",
        choices=tuple(PRESETS),
    )


@dataclass(frozen=True)
class OtherOptions:
    """Of the other instrument."""

    instrument: str | None = option(
        None,
        "the other instrument (default: the nearest one in timbre)",
        affects="sampling",
    )


INFOS = [
    MethodInfo(
        "copy",
        "the source, unchanged",
        f"{_HERE}.references:Copy",
        trains=False,
        control=True,
        mel="",
    ),
    MethodInfo(
        "eq",
        "one static filter a direction, fitted to the mean spectra of training tracks",
        f"{_HERE}.filters:Equaliser",
        FitOptions,
        supervision="unpaired",
        trains=False,
        control=True,
        mel="",
    ),
    MethodInfo(
        "affine",
        "scale and shift of each log-mel band, fitted to training tracks",
        f"{_HERE}.filters:Affine",
        FitOptions,
        supervision="unpaired",
        trains=False,
        control=True,
    ),
    MethodInfo(
        "shuffled",
        "a wrong track of the right instrument",
        f"{_HERE}.references:Shuffled",
        kinds=KINDS,
        trains=False,
        control=True,
        mel="",
    ),
    MethodInfo(
        "other",
        "real music by another instrument, the nearest one in timbre",
        f"{_HERE}.other:Other",
        OtherOptions,
        kinds=("generate", "pair"),
        trains=False,
        control=True,
        mel="",
    ),
    MethodInfo(
        "oracle",
        "the reference itself, through the mel and the vocoder",
        f"{_HERE}.references:Oracle",
        OracleOptions,
        kinds=KINDS,
        trains=False,
        control=True,
    ),
    MethodInfo(
        "noise",
        "white noise at the source's level",
        f"{_HERE}.references:Noise",
        kinds=KINDS,
        trains=False,
        control=True,
        mel="",
    ),
]
