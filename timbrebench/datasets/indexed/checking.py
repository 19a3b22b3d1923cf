"""Holding files against the MD5 that mirdata's index has of them."""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from timbrebench.core.files import read_json, write_json
from timbrebench.core.interfaces import Progress
from timbrebench.datasets.indexed.library import Library, Source


def damaged(
    source: Source, root: Path | None, library: Library, kinds: Sequence[str], progress: Progress
) -> Mapping[str, str]:
    """File below the library's home → what is wrong with it, by the MD5 that the index has.

    Files that are another's are noted, so that the next ``prepare`` fetches them again.
    """
    known = library.checksums(kinds)
    wrong, broken = {}, []
    for number, (name, md5) in enumerate(known.items(), 1):
        path = library.home / name
        if not path.is_file():
            wrong[name] = "it is not there"
        elif md5 and _md5(path) != md5:
            wrong[name] = "it is another file than the index says (another md5)"
            broken.append(name)
        progress("checking files", number / len(known))
    if root is not None and broken:
        with contextlib.suppress(OSError):  # a folder that cannot be written is not mended either
            write_json(_note(root, source), broken)
    return wrong


def damaged_before(root: Path, source: Source) -> set[str]:
    """What :func:`damaged` noted."""
    try:
        return set(map(str, read_json(_note(root, source))))
    except (OSError, ValueError, TypeError):
        return set()


def forget_damaged(root: Path, source: Source) -> None:
    """Once it was made anew."""
    _note(root, source).unlink(missing_ok=True)


def _note(root: Path, source: Source) -> Path:
    return root / "indexes" / f"{source.name}.damaged.json"


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
