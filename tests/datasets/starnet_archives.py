"""StarNet's archives made small, in their real layout: for tests here and of the command line."""

import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile as sf

from timbrebench.core.fetching import Remote

RATE = 44100
SECONDS = 0.3
FOLDERS = {"starnet-p1": "starnet_part1.tar.gz", "starnet-p2": "starnet_part2.tar.gz"}
HZ = (300, 350, 400, 450, 500, 550)  # of each stem of piece p1/001

Hostile = Callable[[tarfile.TarFile], None]


def stem_hz(folder: str, piece: int, stem: int) -> int:
    return HZ[stem] + 20 * (piece - 1) + 5 * (folder == "starnet-p2")


def stem_wav(folder: str, piece: int, stem: int) -> bytes:
    """A sine, 0.4 on the left and 0.2 on the right, of a few samples more for each stem."""
    n = np.arange(round(SECONDS * RATE) + 7 * stem)
    sine = np.sin(2 * np.pi * stem_hz(folder, piece, stem) * n / RATE)
    file = io.BytesIO()
    sf.write(file, np.stack([0.4 * sine, 0.2 * sine], 1), RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def put(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def archive(folder: str, pieces: int, hostile: Hostile | None = None) -> bytes:
    """A tar.gz of pieces 001 …; what is hostile comes after the first piece."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        top = tarfile.TarInfo(folder)
        top.type = tarfile.DIRTYPE
        tar.addfile(top)
        for piece in range(1, pieces + 1):
            for stem in range(6):
                put(tar, f"{folder}/{piece:03d}.{stem}.wav", stem_wav(folder, piece, stem))
            if hostile and piece == 1:
                hostile(tar)
    return packed.getvalue()


def archives(pieces: int = 2, hostile: Hostile | None = None) -> dict[str, bytes]:
    """Name → content of both parts; the first has what is hostile."""
    return {
        name: archive(folder, pieces, hostile if folder == "starnet-p1" else None)
        for folder, name in FOLDERS.items()
    }


def remotes(files: Mapping[str, bytes], url: str) -> dict[str, Remote]:
    """What StarNet is told of them, in place of the real ones."""
    return {
        folder: Remote(
            name,
            f"{url}/{name}",
            len(files[name]),
            f"md5:{hashlib.md5(files[name]).hexdigest()}",
        )
        for folder, name in FOLDERS.items()
    }


def left(root: Path) -> set[str]:
    """All files below a root but the inventory and the lock."""
    names = {str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir()}
    return names - {"starnet.inventory.jsonl", ".starnet.lock"}


def places(pieces: int = 2, stems: str = "012345", folders: str = "12") -> set[str]:
    return {
        f"starnet-p{folder}/{piece:03d}.{stem}.flac"
        for folder in folders
        for piece in range(1, pieces + 1)
        for stem in stems
    }
