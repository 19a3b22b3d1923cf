"""Fetching what mirdata names: the index, then the archives with the files that it lists."""

import shutil
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from timbrebench.core.alone import alone
from timbrebench.core.archives import extract
from timbrebench.core.errors import BenchError
from timbrebench.core.fetched import let_go
from timbrebench.core.fetching import Remote, fetch, sized, to_fetch
from timbrebench.core.files import atomic_path
from timbrebench.core.interfaces import Needs, Progress
from timbrebench.datasets.indexed.checking import damaged_before, forget_damaged
from timbrebench.datasets.indexed.gaps import ABSENT, Gaps
from timbrebench.datasets.indexed.index import read_index
from timbrebench.datasets.indexed.library import (
    Source,
    dataset_of,
    home_of,
    index_path,
    library_in,
    why_missing,
)

_PACKED = (".zip", ".gz", ".tar", ".bz2")
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
    _check_installed(source, root)
    with alone(root, source.name):
        _prepare(source, root, index, kinds, progress, also)


def _prepare(
    source: Source,
    root: Path,
    index: str | None,
    kinds: Sequence[str],
    progress: Progress,
    also: Sequence[str],
) -> None:
    home, data, archives = _known(source, root)
    remote = data._index_data.remote
    if not index and not _has_index(source, root, data):
        fetch(_as_remote(remote, _INDEX_LIMIT), root / "indexes", progress=progress)
    library = library_in(source, home, root, index_path(source, root, index, data), data)
    wanted = [*library.listed(kinds), *also]
    broken = damaged_before(root, source)
    unpack(wanted, archives, home, progress, broken, Gaps.of(root, source.name))
    forget_damaged(root, source)


def needs(
    source: Source,
    root: Path | None,
    index: str | None,
    kinds: Sequence[str],
    also: Sequence[str] = (),
) -> Needs:
    """What :func:`prepare` will download, as the server says: mirdata names no sizes. How much disk
    the files take is not known before."""
    if root is None or "pip install" in why_missing(source, root):
        return Needs()
    home, data, archives = _known(source, root)
    if not index and not _has_index(source, root, data):  # what is lacking is not known before
        wanted = [record for record in archives if not _is_single(record)]
    else:
        library = library_in(source, home, root, index_path(source, root, index, data), data)
        names = [*library.listed(kinds), *also]
        lacking = _lacking(names, home, damaged_before(root, source))
        wanted = [*_asked(lacking, archives, library.gaps)]
    remotes = [sized(_as_remote(record), home) for record in wanted]
    unknown = [remote.name for remote in remotes if remote.size is None]
    told = f"of {', '.join(unknown)} the size is not known" if unknown else ""
    return Needs(sum(to_fetch(remote, home) for remote in remotes), unknown=told)


def _known(source: Source, root: Path) -> tuple[Path, Any, list[Any]]:
    """(folder of the corpus, mirdata's Dataset, its records of what can be downloaded)."""
    home = home_of(source, root) or root / source.mirdata
    data = dataset_of(source, home)
    return home, data, [data.remotes[key] for key in source.remotes]


def _lacking(wanted: Iterable[str], home: Path, broken: Collection[str]) -> dict[str, str]:
    """Key → name of what is not there, or is broken."""
    return {_key(n): n for n in wanted if n in broken or not (home / n).is_file()}


def _singles(records: Iterable[Any]) -> dict[str, Any]:
    """Key of a file → the download that is that file."""
    return {_key(_placed(r.filename, r)): r for r in records if _is_single(r)}


def _asked(lacking: Mapping[str, str], records: Sequence[Any], gaps: Gaps) -> Iterator[Any]:
    """The downloads that may give what is lacking, before any of them is looked into."""
    singles = _singles(records)
    if lacking.keys() <= singles.keys():
        yield from (singles[key] for key in lacking)
        return
    for record in (r for r in records if not _is_single(r)):
        if any(name not in gaps.of_archive(record) for name in lacking.values()):
            yield record


def _check_installed(source: Source, root: Path) -> None:
    missing = why_missing(source, root)
    if "pip install" in missing:
        raise BenchError(missing)


def _has_index(source: Source, root: Path, data: Any) -> bool:
    """Whether there is an index that can be read."""
    try:
        read_index(index_path(source, root, None, data), source.kinds, source.name)
    except BenchError:
        return False
    return True


def unpack(
    wanted: Iterable[str],
    archives: Sequence[Any],
    home: Path,
    progress: Progress,
    broken: Collection[str] = (),
    gaps: Gaps | None = None,
) -> None:
    """Fetches archives (records of mirdata) until all wanted files lie below ``home`` that were
    not there, or are broken. What an archive did not give is among the gaps, and is not looked for
    in it again. For what can be fetched by itself alone no archive is.

    An archive that was downloaded here goes when its files are out.
    """
    gaps = gaps or Gaps()
    lacking, singles = _lacking(wanted, home, broken), _singles(archives)
    for archive in (a for a in archives if not _is_single(a)):
        if lacking.keys() <= singles.keys():
            break  # no need of an archive
        hoped = {k: n for k, n in lacking.items() if n not in gaps.of_archive(archive)}
        if not hoped:
            continue
        path = fetch(_as_remote(archive), home, progress=progress, passing=True)
        found, refused = extract(path, home, partial(_name, archive, hoped), progress=progress)
        told = {_name(archive, hoped, member): why for member, why in refused.items()}
        gaps.note(archive, {n: told.get(n, ABSENT) for n in hoped.values() if n not in found})
        lacking = {key: name for key, name in lacking.items() if name not in found}
        let_go(path)
    for key in lacking.keys() & singles.keys():
        _fetch_single(singles[key], home / lacking[key], progress)


def _is_single(record: Any) -> bool:
    """Whether a download is a file itself, as mirdata tells it from an archive."""
    return not any(part in PurePosixPath(record.filename).suffix for part in _PACKED)


def _fetch_single(record: Any, target: Path, progress: Progress) -> None:
    """To where it belongs; a file that --from gives is copied."""
    path = fetch(_as_remote(record), target.parent, progress=progress)
    if path != target:
        with atomic_path(target) as temporary:
            shutil.copyfile(path, temporary)


def _name(archive: Any, lacking: Mapping[str, str], member: str) -> str | None:
    return lacking.get(_key(_placed(member, archive)))


def _placed(member: str, archive: Any) -> str:
    """Where mirdata puts a member of an archive, below the corpus's folder."""
    member = str(PurePosixPath(member))
    for folder in archive.unpack_directories or ():
        member = member.removeprefix(f"{folder}/")
    return f"{archive.destination_dir}/{member}" if archive.destination_dir else member


def _key(name: str) -> str:
    """The same 'é' may be one character or two: archives differ from indexes."""
    return unicodedata.normalize("NFC", name)


def _as_remote(record: Any, limit: int = 200 << 30) -> Remote:
    checksum = f"md5:{record.checksum}" if record.checksum else ""
    return Remote(record.filename, record.url, checksum=checksum, limit=limit)
