"""Which files of a folder were downloaded here, so that they may go when they have served.

NAME.fetched.json beside a download says which very file it is of (number on the disk, size, time).
It is written before the download gets its name, so that a kill leaves no download unknown; a file
that the user puts under that name is another one, and stays.
"""

import contextlib
from pathlib import Path
from typing import Any

from timbrebench.core.files import read_json, write_json


def claim(part: Path, path: Path) -> None:
    """Says that ``part``, which is whole and will be renamed to ``path``, was downloaded here."""
    write_json(_note(path), _of(part))


def disclaim(path: Path) -> None:
    """Says that a file is the user's, who named its folder with --from."""
    with contextlib.suppress(OSError):  # a folder that cannot be written has no note
        _note(path).unlink(missing_ok=True)


def let_go(path: Path) -> None:
    """Deletes a file that was downloaded here; one that was not is the user's, and stays."""
    if is_own(path):
        path.unlink()
    disclaim(path)


def is_own(path: Path) -> bool:
    """Whether the file that lies there is the one that was downloaded here."""
    try:
        return bool(read_json(_note(path)) == _of(path))
    except (OSError, ValueError):
        return False


def _of(path: Path) -> dict[str, Any]:
    found = path.stat()
    return {"number": found.st_ino, "size": found.st_size, "modified": found.st_mtime_ns}


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.fetched.json")
