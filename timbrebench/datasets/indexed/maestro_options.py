"""What of maestro can be set, and where it is from. Light."""

from dataclasses import dataclass

from timbrebench.core.options import option
from timbrebench.datasets.indexed.options import index_option

LICENCE = "CC BY-NC-SA 4.0"
CITATION = "Hawthorne et al., Enabling Factorized Piano Music Modeling, ICLR 2019"
PAGE = "https://magenta.tensorflow.org/datasets/maestro"


@dataclass(frozen=True)
class Options:
    """What is heard beside the piano."""

    renders: str = option(
        "", "instruments that play its MIDI, separated by '/': General MIDI names or programs"
    )
    soundfont: str | None = option(None, "SoundFont 2 file (default: TimGM6mb.sf2 of pretty_midi)")
    rate: int = option(22050, "rate of the renders in Hz", low=8000, high=48000)
    fetch: bool = option(True, "prepare fetches what is not there, not only renders what is")
    index: str | None = index_option()
