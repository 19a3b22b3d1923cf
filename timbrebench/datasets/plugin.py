"""What our datasets are."""

from timbrebench.core.interfaces import DatasetInfo
from timbrebench.datasets.starlet.options import Options as StarletOptions
from timbrebench.datasets.starnet.options import LICENCE, PAGE, SIZE
from timbrebench.datasets.starnet.options import Options as StarNetOptions

_HERE = "timbrebench.datasets"

DATASETS = [
    DatasetInfo(
        "starlet",
        "seeded chamber pieces for StarNet's instruments, composed and rendered on this machine",
        f"{_HERE}.starlet.dataset:Starlet",
        StarletOptions,
        licence="sound: TimGM6mb.sf2, GPL-2 (carried by pretty_midi)",
        size="300 MB, made on this machine",
        embedded=True,
    ),
    DatasetInfo(
        "starnet",
        "104 pieces performed with two sets of instruments: stems and mixtures",
        f"{_HERE}.starnet.dataset:StarNet",
        StarNetOptions,
        source=PAGE,
        licence=LICENCE,
        citation="Alinoori & Tzerpos, Music-STAR, ISMIR 2022",
        size=SIZE,
    ),
    DatasetInfo(
        "folder",
        "your own audio: ROOT/INSTRUMENT/*.wav, flac, mp3 or ogg, paired where names match",
        f"{_HERE}.folder:Folder",
        licence="yours",
        size="yours",
    ),
]
