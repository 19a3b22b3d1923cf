"""Archives from outside, unpacked member by member: zip, tar and tar.gz, as their first bytes say.

Nothing of an archive is believed: real bytes are counted as they come, names are checked, and
only regular files are taken. What is refused is told with its reason, and the rest goes on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from timbrebench.core.interfaces import Progress


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
    size: int  # bytes, as the archive says; ``write_to`` counts
    stream: IO[bytes]
    limits: Limits

    def write_to(self, path: Path) -> None:
        """Writes it to a file, atomically. Refused (with the reason) where it breaks a limit."""
        raise NotImplementedError


def members(
    archive: Path,
    refuse: Callable[[str, str], None],
    *,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    progress: Progress = lambda what, share: None,
) -> Iterator[Member]:
    """Its files in their order, each to be written before the next is asked for.

    ``refuse(name, reason)`` is called for what is not taken. BenchError where the archive itself
    is damaged or beyond its limits, after what came before.
    """
    raise NotImplementedError


def extract(
    archive: Path,
    folder: Path,
    wanted: Callable[[str], str | None],
    *,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    progress: Progress = lambda what, share: None,
) -> tuple[list[str], dict[str, str]]:
    """(names below ``folder`` that were written, member → why it was refused).

    ``wanted(member name)`` gives the name below ``folder`` that a member gets, or None.
    """
    raise NotImplementedError
