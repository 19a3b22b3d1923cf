"""What of guitarset can be set, and where it is from. Light."""

from dataclasses import dataclass

from timbrebench.core.options import option
from timbrebench.datasets.indexed.options import index_option

LICENCE = "MIT (as mirdata states)"
CITATION = "Xi et al., GuitarSet: A Dataset for Guitar Transcription, ISMIR 2018"
PAGE = "https://zenodo.org/records/3371780"


@dataclass(frozen=True)
class Options:
    """Which recordings."""

    audio: str = option(
        "mic", "the microphone's recordings, or the pickup's", choices=("mic", "pickup")
    )
    mode: str = option("all", "accompaniments, solos or both", choices=("all", "comp", "solo"))
    index: str | None = index_option()
