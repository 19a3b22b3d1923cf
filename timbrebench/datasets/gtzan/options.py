"""What of gtzan can be set. Light."""

from dataclasses import dataclass

from timbrebench.core.options import option
from timbrebench.datasets.indexed.options import index_option

LICENCE = "none stated; commercial recordings, for research"
CITATION = "Tzanetakis & Cook, Musical genre classification of audio signals, IEEE TSAP 2002"
PAGE = "http://opihi.cs.uvic.ca/sound/genres.tar.gz"
GENRES = (
    *("blues", "classical", "country", "disco", "hiphop"),
    *("jazz", "metal", "pop", "reggae", "rock"),
)


@dataclass(frozen=True)
class Options:
    """A genre stands where other corpora have an instrument."""

    genre: str = option("classical", "the genre, or all of them", choices=(*GENRES, "all"))
    faults: str = option(
        "left_out",
        "known repeats and mislabels: left out, by the fault-filtered split; kept, split by hash",
        choices=("left_out", "kept"),
    )
    index: str | None = index_option()
