"""``files:DIR``: any outside system's estimates get rows beside ours."""

from dataclasses import dataclass

from timbrebench.core.interfaces import MethodInfo
from timbrebench.core.options import option


@dataclass(frozen=True)
class FilesOptions:
    """Of ``files``."""

    dir: str = option(
        "", "folder of the estimates: DIR/clarinet-strings/TRACK.wav", affects="sampling"
    )


INFOS = [
    MethodInfo(
        "files",
        "a folder of another system's estimates (files:DIR)",
        "timbrebench.methods.files.model:Files",
        FilesOptions,
        trains=False,
        mel="",
        argument="dir",
    )
]
