"""Archives from outside, unpacked member by member: zip, tar and tar.gz, as their first bytes say.

Nothing of an archive is believed: real bytes are counted as they come, names are checked, and
only regular files are taken. What is refused is told with its reason, and the rest goes on.
"""

import errno
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from timbrebench.core.archive_readers import BadArchive, Entry, Refused, entries
from timbrebench.core.errors import shown
from timbrebench.core.files import atomic_path
from timbrebench.core.interfaces import Progress
from timbrebench.core.units import bytes_text

__all__ = ["BadArchive", "Limits", "Member", "Refused", "extract", "members"]

_BLOCK = 1 << 20  # bytes
_SLACK = 1 << 17  # bytes of the archive that may have been read ahead
_LONGEST_NAME, _LONGEST_PATH, _DEEPEST = 255, 1024, 32  # bytes, bytes, folders
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Limits:
    """What an archive may hold."""

    entries: int = 100_000
    total: int = 500 << 30  # bytes of all that it expands to
    member: int = 4 << 30  # bytes of one file
    ratio: float = 200.0  # bytes out for a byte in, of one file
    ratio_from: int = 64 << 20  # bytes of a file before the ratio counts: silence packs well


@dataclass(frozen=True)
class Member:
    """A regular file in an archive, with a name that is safe below any folder."""

    name: str  # 'folder/file.wav'
    entry: Entry
    limits: Limits

    def write_to(self, path: Path) -> None:
        """Writes it to a file, atomically. Refused (with the reason) where it breaks a limit, is
        damaged, or has no place there."""
        try:
            with atomic_path(path) as temporary, temporary.open("wb") as out:
                for block in self._blocks():
                    out.write(block)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise Refused("a file and a folder of the archive have the same name") from None
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise Refused("its name is too long for the disk") from None

    def _blocks(self) -> Iterator[bytes]:
        """Its content, counted."""
        limits, held, before = self.limits, 0, self.entry.consumed()
        while block := self.entry.read(_BLOCK):
            held += len(block)
            if held > limits.member:
                raise Refused(_too_large(limits))
            packed = self.entry.consumed() - before + _SLACK
            if held > limits.ratio_from and held > limits.ratio * packed:
                raise Refused(f"it expands to over {limits.ratio:g} times its packed size")
            yield block


def members(
    archive: Path,
    refuse: Callable[[str, str], None],
    *,
    limits: Limits = Limits(),
    progress: Progress = lambda what, share: None,
) -> Iterator[Member]:
    """Its files in their order, each to be written before the next is asked for.

    ``refuse(name, reason)`` is called for what is not taken. BadArchive where the archive itself
    is damaged or beyond its limits, after what came before.
    """
    seen: set[str] = set()
    for count, entry in enumerate(entries(archive, limits.total, progress), 1):
        if count > limits.entries:
            raise BadArchive(
                f"{archive}: it holds over {limits.entries} entries, and is left there."
            )
        try:
            name = _checked(entry, limits, seen)
        except Refused as error:
            refuse(shown(entry.name), str(error))
            continue
        if not entry.folder:
            yield Member(name, entry, limits)


def extract(
    archive: Path,
    folder: Path,
    wanted: Callable[[str], str | None] = lambda name: name,
    *,
    limits: Limits = Limits(),
    progress: Progress = lambda what, share: None,
) -> tuple[list[str], dict[str, str]]:
    """(names below ``folder`` that were written, member → why it was refused).

    ``wanted(member name)`` gives the name below ``folder`` that a member gets, or None.
    """
    written: list[str] = []
    refused: dict[str, str] = {}
    for member in members(archive, refused.__setitem__, limits=limits, progress=progress):
        name = wanted(member.name)
        if name is None:
            continue
        try:
            member.write_to(folder / name)
        except Refused as error:
            refused[member.name] = str(error)
        else:
            written.append(name)
    return written, refused


# ---------------------------------------------------------------------------- what is refused


def _checked(entry: Entry, limits: Limits, seen: set[str]) -> str:
    """The entry's name, made safe. Refused with the reason otherwise."""
    name = _safe(entry.name)
    if entry.refused:
        raise Refused(entry.refused)
    if entry.folder:
        return name
    if entry.size > limits.member:
        raise Refused(_too_large(limits))
    same = unicodedata.normalize("NFC", name).casefold()
    if same in seen:
        raise Refused("another file of the archive has that name")
    seen.add(same)
    return name


def _safe(name: str) -> str:
    """'./a/b.wav' → 'a/b.wav'. Refused where it could mean anything but a file below a folder."""
    if any("\ud800" <= c <= "\udfff" for c in name):
        raise Refused("its name is not in UTF-8")
    if not name.isprintable():
        raise Refused("its name has characters that cannot be shown")
    if name.startswith("/") or _DRIVE.match(name):
        raise Refused("its path is absolute")
    if "\\" in name:
        raise Refused("its name has a backslash")
    parts = PurePosixPath(name).parts
    if ".." in parts:
        raise Refused("its path leads out of the folder")
    if not parts:
        raise Refused("it has no name")
    longest = max(len(part.encode()) for part in parts)
    if longest > _LONGEST_NAME or len(name.encode()) > _LONGEST_PATH or len(parts) > _DEEPEST:
        raise Refused("its name is too long")
    return "/".join(parts)


def _too_large(limits: Limits) -> str:
    return f"it is larger than {bytes_text(limits.member)}"
