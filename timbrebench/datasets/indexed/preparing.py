"""Fetching what mirdata names: the index, then the archives with the files that it lists."""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from timbrebench.core.archives import extract
from timbrebench.core.errors import BenchError
from timbrebench.core.fetching import Remote, fetch
from timbrebench.core.interfaces import Progress
from timbrebench.datasets.indexed.library import (
    Library,
    Source,
    dataset_of,
    home_of,
    open_library,
    why_missing,
)

_INDEX_LIMIT = 64 << 20  # bytes


def prepare(
    source: Source,
    root: Path | None,
    index: str | None,
    kinds: Sequence[str],
    progress: Progress,
    also: Sequence[str] = (),
) -> None:
    """Index and files of those kinds (and ``also``), below ``root``; what is there stays."""
    if root is None:
        raise BenchError(
            f"'{source.name}' is fetched to the folder that --data-root or TIMBREBENCH_DATA names."
        )
    home = home_of(source, root) or root / source.mirdata
    _check_installed(source, root)
    data = dataset_of(source, home)
    remote = data._index_data.remote
    if not index and not _has_index(source, root):
        fetch(_as_remote(remote, _INDEX_LIMIT), root / "indexes", progress=progress)
    library = Library(home, Path(index or root / "indexes" / remote.filename), data)
    data.index_path = str(library.index)
    wanted = [*listed(library, kinds), *also]
    unpack(wanted, [data.remotes[key] for key in source.remotes], home, progress)


def _check_installed(source: Source, root: Path) -> None:
    missing = why_missing(source, root)
    if "pip install" in missing:
        raise BenchError(missing)


def _has_index(source: Source, root: Path) -> bool:
    try:
        open_library(source, root, None)
    except BenchError:
        return False
    return True


def listed(library: Library, kinds: Iterable[str]) -> list[str]:
    """The paths that the index has of some kinds of file."""
    kinds = set(kinds)
    return [
        entry[0]
        for files in library.files.values()
        for kind, entry in files.items()
        if kind in kinds and entry[0]
    ]


def unpack(wanted: Sequence[str], archives: Sequence[Any], home: Path, progress: Progress) -> None:
    """Fetches archives (records of mirdata) until all wanted files lie below ``home``.

    An archive that was downloaded here goes when its files are out.
    """
    names = {_key(name): name for name in wanted}
    for archive in archives:
        if all((home / name).is_file() for name in wanted):
            return
        path = fetch(_as_remote(archive), home, progress=progress)
        extract(path, home, lambda m, a=archive: names.get(_key(_placed(m, a))), progress=progress)  # type: ignore[misc]
        if path.parent == home:
            path.unlink()


def _placed(member: str, archive: Any) -> str:
    """Where mirdata puts a member of an archive, below the corpus's folder."""
    for folder in archive.unpack_directories or ():
        member = member.removeprefix(f"{folder}/")
    return f"{archive.destination_dir}/{member}" if archive.destination_dir else member


def _key(name: str) -> str:
    """The same 'é' may be one character or two: archives differ from indexes."""
    return unicodedata.normalize("NFC", name)


def _as_remote(record: Any, limit: int = 200 << 30) -> Remote:
    checksum = f"md5:{record.checksum}" if record.checksum else ""
    return Remote(record.filename, record.url, checksum=checksum, limit=limit)


def damaged(library: Library, kinds: Sequence[str], progress: Progress) -> Mapping[str, str]:
    """File below the library's home → what is wrong with it, by the MD5 that the index has."""
    known = {
        entry[0]: entry[1]
        for files in library.files.values()
        for kind, entry in files.items()
        if kind in kinds and entry[0]
    }
    wrong = {}
    for number, (name, md5) in enumerate(known.items(), 1):
        path = library.home / name
        if not path.is_file():
            wrong[name] = "it is not there"
        elif md5 and _md5(path) != md5:
            wrong[name] = "it is another file than the index says (another md5)"
        progress("checking files", number / len(known))
    return wrong


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
