"""Options of StarNet, and what its info says. Light."""

from dataclasses import dataclass

from timbrebench.core.options import option

LICENCE = "CC BY 4.0"
DOWNLOAD = "36 GB to download"
SIZE = f"{DOWNLOAD}, about 4 GB (estimated) as 16 kHz stems"
PAGE = "https://zenodo.org/records/6917099"


@dataclass(frozen=True)
class Options:
    """Of StarNet: what is asked for of it, and what is kept."""

    stems: str = option("all", "numbers 0 to 5 or instruments, with commas: 1,2 or clarinet,piano")
    tracks: str = option("all", "ids, numbers or ranges, with commas: p1/001,p2/001-010 or 001-010")
    original: bool = option(False, "keep the 44.1 kHz stereo WAVs as well, and use them")
    keep_archives: bool = option(False, "keep what was downloaded once it is unpacked")
