"""The entries of an archive as they come, in bounded memory: what ``core.archives`` judges.

tarfile and zipfile read headers whole, however long they claim to be; the streams below that they
are given refuse long reads, so that no header can fill the memory. zip is taken with ``stored`` and
``deflated`` members only: the other decoders of zipfile hand out all that a block expands to.
"""

import contextlib
import gzip
import itertools
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Progress
from timbrebench.core.units import bytes_text

_BLOCK = 1 << 20  # bytes
_TOLD = 1 << 22  # bytes of the archive between two words of progress
_HEADERS = 1 << 18  # bytes of headers that one tar entry may have
_ALL_HEADERS = 1 << 27  # bytes of headers that a tar may have
_INDEX = 1 << 24  # bytes of a zip's directory
_ENCRYPTED, _UTF8 = 1, 0x800  # flags of a zip's entry
_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, struct.error),
    *(EOFError, RecursionError, ValueError, OverflowError, NotImplementedError, IndexError),
)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Refused(Exception):
    """A member that is not taken, with the reason."""


class BadArchive(BenchError):
    """An archive that is damaged, or goes beyond its limits: what lies behind is not taken."""


@dataclass(frozen=True)
class Entry:
    """One entry, as the archive tells it."""

    name: str
    size: int  # bytes; a claim
    folder: bool
    refused: str  # why it is not taken, '' if nothing is against it
    read: Callable[[int], bytes]  # up to so many bytes of its content; b'' at its end
    consumed: Callable[[], int]  # bytes of the archive read so far


def entries(archive: Path, total: int, progress: Progress) -> Iterator[Entry]:
    """All entries in their order. BadArchive where it is damaged, or expands to over ``total``
    bytes."""
    with _judging(archive), archive.open("rb") as raw:
        first = raw.read(4)
        watched = _Watched(raw, archive, progress)
        count = _Count(archive, total)
        if first.startswith(b"PK"):
            yield from _of_zip(watched, count)
        elif first.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=watched) as stream:  # type: ignore[call-overload]
                yield from _of_tar(stream, watched, count)
        else:
            yield from _of_tar(watched, watched, count)


@contextlib.contextmanager
def _judging(archive: Path) -> Iterator[None]:
    """What the libraries raise, as one line."""
    try:
        yield
    except _DAMAGED as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise BadArchive(
            f"{archive}: it is damaged, or no zip, tar or tar.gz ({reason})."
        ) from None


class _Count:
    """Bytes that came out of an archive, wanted or not."""

    def __init__(self, archive: Path, total: int) -> None:
        self.archive, self.left, self.total = archive, total, total

    def add(self, block: bytes) -> bytes:
        self.left -= len(block)
        if self.left < 0:
            raise BadArchive(
                f"{self.archive}: it expands to over {bytes_text(self.total)}, and is left there."
            )
        return block


class _Watched:
    """The archive's file: tells how far it is read, and refuses to read very much at once."""

    def __init__(self, raw: IO[bytes], archive: Path, progress: Progress) -> None:
        self.raw, self.name, self.progress = raw, archive.name, progress
        self.size, self.told = max(1, archive.stat().st_size), 0
        raw.seek(0)

    def read(self, size: int = -1) -> bytes:
        if size > _INDEX:
            raise ValueError("a header claims to be longer than any is")
        at = self.raw.tell()
        if at - self.told >= _TOLD:
            self.told = at
            self.progress(f"unpacking {self.name}", at / self.size)
        return self.raw.read(_INDEX if size < 0 else size)

    def seek(self, position: int, whence: int = 0) -> int:
        return self.raw.seek(position, whence)

    def tell(self) -> int:
        return self.raw.tell()

    def seekable(self) -> bool:
        return True


# ---------------------------------------------------------------------------- tar


class _Forward:
    """A stream as tarfile wants it: it is counted and goes forward only, and what is read while
    ``limited`` is headers, of which there may not be many."""

    def __init__(self, stream: _Readable, count: _Count) -> None:
        self.stream, self.count, self.at = stream, count, 0
        self.limited, self.headers, self.all_headers, self.last = True, 0, 0, b""

    def read(self, size: int) -> bytes:
        if self.limited:
            self.headers += size
            self.all_headers += size
            if self.headers > _HEADERS or self.all_headers > _ALL_HEADERS:
                raise ValueError("its headers are longer than any are")
        self.last = self.count.add(self.stream.read(size))
        self.at += len(self.last)
        return self.last

    def tell(self) -> int:
        return self.at

    def seek(self, position: int) -> None:
        if position < self.at:
            raise ValueError("an entry claims to lie before the one before it")
        while self.at < position:
            block = self.count.add(self.stream.read(min(_BLOCK, position - self.at)))
            if not block:
                raise EOFError("it ends too early")
            self.at += len(block)


def _of_tar(stream: _Readable, watched: _Watched, count: _Count) -> Iterator[Entry]:
    forward = _Forward(stream, count)
    with tarfile.open(fileobj=forward, mode="r:") as tar:  # type: ignore[call-overload]
        while True:
            forward.headers, forward.limited = 0, True
            info = tar.next()
            forward.limited = False
            if info is None:
                break
            tar.members.clear()  # tarfile would keep them all
            reading = _Contents(forward, info.size)
            folder, refused = info.isdir(), _wrong_with_tar(info)
            yield Entry(info.name, info.size, folder, refused, reading.read, watched.tell)
        # tarfile takes a broken header for the end, which is two blocks of zeros.
        if forward.last.strip(b"\0") or 0 < len(forward.last) < tarfile.BLOCKSIZE:
            raise ValueError("a header is broken")
        while count.add(stream.read(_BLOCK)):  # to its end, so that gzip's checksum is looked at
            pass


class _Contents:
    """The next ``left`` bytes of a stream."""

    def __init__(self, stream: _Forward, left: int) -> None:
        self.stream, self.left = stream, left

    def read(self, size: int) -> bytes:
        if not self.left:
            return b""
        with _judging(self.stream.count.archive):
            block = self.stream.read(min(size, self.left))
            if not block:
                raise EOFError("it ends too early")
        self.left -= len(block)
        return block


def _wrong_with_tar(info: tarfile.TarInfo) -> str:
    """Why an entry is not taken, in words, or ''."""
    if info.issym() or info.islnk():
        return "it is a link"
    if info.isdev():
        return "it is a device or a pipe"
    if not (info.isreg() or info.isdir()) or info.issparse():
        return "it is no plain file"
    if info.size < 0:
        return "it claims a size below zero"
    try:
        tarfile.data_filter(info, "/nowhere")
    except tarfile.FilterError as error:
        return f"tarfile's data filter refuses it ({type(error).__name__})"
    except (ValueError, OSError):  # of a name that the caller judges
        return ""
    return ""


# ---------------------------------------------------------------------------- zip


def _of_zip(watched: _Watched, count: _Count) -> Iterator[Entry]:
    with zipfile.ZipFile(watched) as archive:  # type: ignore[call-overload]
        infos = archive.infolist()
        overlapping = _overlapping(infos)
        for info in infos:
            refused = "it lies over another" if info in overlapping else _wrong_with_zip(info)
            with _Packed(archive, info, count, watched.size) as packed:
                folder = info.is_dir()
                yield Entry(
                    _zip_name(info), info.file_size, folder, refused, packed.read, packed.consumed
                )


def _zip_name(info: zipfile.ZipInfo) -> str:
    """zipfile takes a name without the flag of UTF-8 for code page 437; many tools write UTF-8
    and no flag."""
    if info.flag_bits & _UTF8:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


class _Packed(contextlib.ExitStack):
    """The content of a zip's member, opened when it is asked for."""

    def __init__(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, count: _Count, size: int
    ) -> None:
        super().__init__()
        self.packed = min(info.compress_size, size)
        self.archive, self.info, self.count = archive, info, count
        self.stream: IO[bytes] | None = None
        self.came = 0

    def read(self, size: int) -> bytes:
        """Damage is the member's own: the others are packed apart."""
        try:
            if self.stream is None:
                self.stream = self.enter_context(self.archive.open(self.info))
            block = self.stream.read(size)
            if not block and self.came < self.info.file_size:
                raise EOFError("it ends too early")
        except _DAMAGED as error:
            raise Refused(f"it is damaged ({error})") from None
        self.came += len(block)
        return self.count.add(block)

    def consumed(self) -> int:
        """Of this member: all that it claims to take."""
        return self.packed if self.stream else 0


def _overlapping(infos: list[zipfile.ZipInfo]) -> set[zipfile.ZipInfo]:
    """Members that lie over the next one: so one block of data can be unpacked many times."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    pairs = itertools.pairwise(ordered)
    return {a for a, b in pairs if a.header_offset + a.compress_size > b.header_offset}


def _wrong_with_zip(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "it is a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is a device or a pipe"
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"it is packed in a way that is not taken (method {info.compress_type})"
    return ""
