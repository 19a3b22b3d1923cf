"""What our datasets are."""

from timbrebench.core.interfaces import DatasetInfo
from timbrebench.datasets.starlet.options import Options as StarletOptions

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
]
