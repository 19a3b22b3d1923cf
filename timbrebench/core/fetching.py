"""Files from the network: fetched by a command, checked, and never trusted before.

A dataset's ``prepare`` names what it needs as :class:`Remote` records and calls :func:`fetch` for
each. How they are fetched (a mirror, a proxy, a folder with files already there) is the user's
affair: a command sets it with :func:`using`, and no dataset has to pass it on.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from timbrebench.core.errors import BenchError
from timbrebench.core.fetched import claim, disclaim
from timbrebench.core.interfaces import Progress
from timbrebench.core.units import bytes_text

ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
_BLOCK = 1 << 20  # bytes
_SPARE = 256 << 20  # bytes that stay free on the disk


@dataclass(frozen=True)
class Remote:
    """A file that somebody publishes."""

    name: str  # what it is called on disk, in a --from folder and below a mirror
    url: str  # http or https
    size: int | None = None  # bytes, where they are known
    checksum: str = ""  # 'md5:HEX', 'sha256:HEX', …; '' where nobody published one
    mirrors: tuple[str, ...] = ()  # other addresses of the same content, in the order to try
    limit: int = 100 << 30  # bytes; a longer answer is refused

    @property
    def algorithm(self) -> str:
        return self.checksum.partition(":")[0] or "sha256"

    @property
    def digest(self) -> str:
        """The checksum in hexadecimal; '' where there is none."""
        return self.checksum.partition(":")[2].lower()

    @property
    def longest(self) -> int:
        return self.limit if self.size is None else self.size


@dataclass(frozen=True)
class Fetching:
    """How files are fetched: what the options of a command say."""

    source: Path | None = None  # --from: a folder that may hold them already
    mirror: str = ""  # --mirror: address of a folder that holds them by their names
    proxy: str = ""  # --proxy; else what the environment says (HTTPS_PROXY, NO_PROXY, …)
    timeout: float = 30.0  # seconds without a byte
    tries: int = 6  # in a row that bring nothing
    wait: float = 1.0  # seconds before the second try; doubled for each further one
    longest_wait: float = 60.0  # seconds


_current: ContextVar[Fetching | None] = ContextVar("fetching", default=None)


def current() -> Fetching:
    """How files are fetched here. A thread that is started does not inherit it."""
    return _current.get() or Fetching()


@contextlib.contextmanager
def using(how: Fetching) -> Iterator[None]:
    """Files are fetched so inside the block."""
    token = _current.set(how)
    try:
        yield
    finally:
        _current.reset(token)


def fetch(
    remote: Remote,
    folder: Path,
    *,
    progress: Progress = lambda what, share: None,
    passing: bool = False,
) -> Path:
    """The path of the whole, verified file: in the folder of ``--from`` if it is there, else in
    ``folder``, where it is downloaded to unless it lies there already.

    A download that was stopped goes on where it was. BenchError, with what to do, if there is no
    way to get it; nothing that is wrong stays under the file's name. ``passing``: a download is
    noted as one, for ``core.fetched.let_go`` to delete.
    """
    given = _given(remote, progress)
    if given:
        return given
    path = folder / remote.name
    if path.is_file() and not wrong_with(path, remote, progress):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    _download(remote, path, current(), progress, passing)
    return path


def wrong_with(path: Path, remote: Remote, progress: Progress = lambda what, share: None) -> str:
    """Why a file is not the remote one, in words; '' if it is, as far as is known of it."""
    size = path.stat().st_size
    if remote.size is not None and size != remote.size:
        return f"it has {size} bytes, {remote.name} has {remote.size}"
    if remote.digest and (found := _digest(path, remote, progress)) != remote.digest:
        return another(remote, found)
    return ""


def another(remote: Remote, found: str) -> str:
    """How a wrong checksum is told."""
    return (
        f"another {remote.algorithm}: {found[:12]}… where {remote.name} has {remote.digest[:12]}…"
    )


def to_fetch(remote: Remote, folder: Path) -> int:
    """Bytes still to be downloaded, as far as sizes tell; 0 where that is not known."""
    how, size = current(), remote.size or 0
    if how.source and (how.source / remote.name).is_file():
        return 0
    path = folder / remote.name
    if path.is_file() and path.stat().st_size == size:
        return 0
    part = part_of(path)
    return size - min(size, part.stat().st_size if part.exists() else 0)


def sized(remote: Remote, folder: Path) -> Remote:
    """The remote with its size, for which the server is asked where nobody published it and the
    file is neither given nor there. Its size may stay unknown."""
    from timbrebench.core.download import length

    how = current()
    given = how.source / remote.name if how.source else folder / remote.name
    for path in (given, folder / remote.name):
        if remote.size is None and path.is_file():
            return replace(remote, size=path.stat().st_size)
    urls = _addresses(remote, how) if remote.size is None else []
    found = next((size for url in urls if (size := length(url, remote, how)) is not None), None)
    return replace(remote, size=found) if found else remote


def check_space(folder: Path, needed: int, what: str) -> None:
    """BenchError where the disk of ``folder`` (which need not exist) lacks ``needed`` bytes."""
    place = next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
    free = shutil.disk_usage(place).free
    if needed and needed + _SPARE > free:
        raise BenchError(
            f"{what} needs {bytes_text(needed)} of disk in {folder}, "
            f"where {bytes_text(free)} are free.",
            hint="Make room, or name another folder.",
        )


def part_of(path: Path) -> Path:
    """Where a download lies until it is whole."""
    return path.with_name(f"{path.name}.part")


def _given(remote: Remote, progress: Progress) -> Path | None:
    """The file in the folder of --from, verified, if there is one of its name."""
    source = current().source
    path = source / remote.name if source else None
    if path is None or not path.is_file():
        return None
    if reason := wrong_with(path, remote, progress):
        raise BenchError(f"{path}: {reason}.", hint=f"Take it out of --from; it is at {remote.url}")
    disclaim(path)
    return path


def _digest(path: Path, remote: Remote, progress: Progress) -> str:
    """The file's checksum, by the remote's algorithm."""
    total, held, hashed = path.stat().st_size, 0, hashlib.new(remote.algorithm)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hashed.update(block)
            held += len(block)
            progress(f"checking {remote.name}", held / total)
    return hashed.hexdigest()


def _download(remote: Remote, path: Path, how: Fetching, progress: Progress, passing: bool) -> None:
    """From the first address that has it. What came wrong is deleted and fetched once more: it
    may have been damaged on the way."""
    from timbrebench.core.download import Unfetched, download

    part, waiting, told, wrong = part_of(path), _addresses(remote, how), "", 0
    while waiting:
        url = waiting.pop(0)
        try:
            found = download(url, part, remote, how, progress)
        except Unfetched as error:
            told = f"{url} could not be fetched ({error})"
            continue
        if found == (remote.digest or found):
            _accept(part, path, passing)
            return
        part.unlink()
        told, wrong = f"{url} holds {another(remote, found)}; it was deleted", wrong + 1
        waiting += [url] if wrong == 1 else []
    raise BenchError(f"{remote.name}: {told}.", hint=_elsewhere(remote))


def _addresses(remote: Remote, how: Fetching) -> list[str]:
    """A mirror that the user names is the only one that is asked."""
    if how.mirror:
        return [f"{how.mirror.rstrip('/')}/{quote(remote.name)}"]
    return [remote.url, *remote.mirrors]


def _accept(part: Path, path: Path, passing: bool) -> None:
    """Makes a whole download the file."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    if passing:
        claim(part, path)
    part.replace(path)


def _elsewhere(remote: Remote) -> str:
    return (
        "What came is kept: run it again to go on, with --mirror URL or --proxy URL, or with "
        f"--from DIR where DIR holds {remote.name} from {remote.url}"
    )
