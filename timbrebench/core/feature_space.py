"""How much of the disk cached log-mels may take: what was not asked for longest goes first."""

import contextlib
import os
from collections.abc import Set
from pathlib import Path

from timbrebench.core.errors import BenchError
from timbrebench.core.feature_file import FeatureFile
from timbrebench.core.units import parse_bytes

LIMIT = "TIMBREBENCH_FEATURES"  # in the environment: an amount such as 8GiB
DEFAULT_LIMIT = "32GiB"


def limit() -> int:
    """Bytes. BenchError where the environment's amount is none."""
    try:
        return parse_bytes(os.environ.get(LIMIT) or DEFAULT_LIMIT)
    except BenchError as error:
        raise BenchError(f"{LIMIT}: {error}") from None


def used(root: Path) -> int:
    """Bytes of all log-mels below ``root``."""
    return sum(path.stat().st_size for path in root.glob("*/mels-*.f32"))


def make_room(file: FeatureFile, needed: Set[str]) -> None:
    """Removes log-mels until all that lie beside ``file``'s folder keep the limit: first whole
    folders, then the file's own, never what is ``needed`` now."""
    over = used(file.folder.parent) - limit()
    if over <= 0:
        return
    with contextlib.suppress(OSError):
        for other in _others(file):
            if over <= 0:
                return
            over -= other.size
            other.remove()
        if over > 0:
            _shrink(file, needed, over)


def _others(file: FeatureFile) -> list[FeatureFile]:
    """The neighbours, the one that was used longest ago first."""
    folders = [path.parent for path in file.folder.parent.glob("*/index.json")]
    found = [FeatureFile(folder, 1) for folder in folders if folder != file.folder]
    return sorted(found, key=lambda other: (other.folder / "index.json").stat().st_mtime_ns)


def _shrink(file: FeatureFile, needed: Set[str], over: int) -> None:
    places = file.read().places
    oldest = sorted(places.keys() - needed, key=lambda key: places[key].day)
    gone = set()
    for key in oldest:
        if over <= 0:
            break
        gone.add(key)
        over -= places[key].frames * file.bands * 4
    if gone:
        file.keep(lambda key: key not in gone)
