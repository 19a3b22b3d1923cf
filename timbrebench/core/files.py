"""Files that appear whole or not at all, and hashes of contents."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_PART = ".part-"  # what a file is called until it is whole
_ROOM = 1 << 16  # bytes; with less a disk is full


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder that becomes ``path`` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_PART, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        _sync_folder(path.parent)
    except Exception as error:
        if isinstance(error, OSError) or not _is_full(path.parent, error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _is_full(folder: Path, error: Exception) -> bool:
    """Whether a library's own error is that of a full disk: some say so, some do not."""
    said = os.strerror(errno.ENOSPC) in str(error)
    return said or shutil.disk_usage(folder).free < _ROOM


def remove_parts(folder: Path) -> None:
    """Removes what a kill left half written in a folder that nothing else writes to now."""
    for path in folder.rglob(f"{_PART}*"):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def digest(value: Any, size: int = 8) -> str:
    """A short hash of a JSON-able value, independent of key order."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_files(paths: Iterable[Path]) -> str:
    """One hash of the contents of files, in the order given."""
    total = hashlib.blake2b(digest_size=8)
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()


def cache_root() -> Path:
    """Where what can be made again is kept: TIMBREBENCH_CACHE, or the user's cache folder."""
    given = os.environ.get("TIMBREBENCH_CACHE")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "timbrebench"
