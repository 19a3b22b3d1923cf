"""What of saraga can be set, and where it is from. Light."""

from dataclasses import dataclass

from timbrebench.core.options import option
from timbrebench.datasets.indexed.options import index_option

LICENCE = "CC BY-NC-SA 4.0"
CITATION = "Bozkurt et al., Saraga: research datasets of Indian Art Music, 2018"
PAGE = "https://zenodo.org/records/4301737"


@dataclass(frozen=True)
class Options:
    """Which recordings."""

    stems: bool = option(False, "each musician's own track in place of the whole ensemble")
    index: str | None = index_option()
