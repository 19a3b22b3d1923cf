"""What StarNet's files are called, and which of them are asked for.

A *place* is a stem below the root without its suffix: ``starnet-p1/001.0``.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.datasets.starnet.options import Options

STEMS = (  # by the number in a file's name: instrument, and the part that it plays
    ("clarinet+vibraphone", "mixture"),
    ("clarinet", "melody"),
    ("vibraphone", "accompaniment"),
    ("strings+piano", "mixture"),
    ("strings", "melody"),
    ("piano", "accompaniment"),
)
FOLDERS = {"": "", "p1/": "starnet-p1", "p2/": "starnet-p2", "test/": "starnet-test"}
_SPACES = {folder: space for space, folder in FOLDERS.items()}
_NAME = re.compile(r"(\d{1,6})\.([0-5])\.(wav|flac)", re.IGNORECASE)
_MEMBER = re.compile(r"(\d{1,6}\.[0-5])\.wav", re.IGNORECASE)
_TRACKS = re.compile(r"(?:(p1|p2|test)/)?(\d+)(?:-(?:(?:p1|p2|test)/)?(\d+))?")
_MOST = 10_000  # tracks in a range


@dataclass(frozen=True)
class Selection:
    """The stems and tracks that are asked for."""

    stems: frozenset[int]
    spaces: frozenset[str]  # 'p1/', …, where tracks are asked for
    named: frozenset[str] | None  # ids of tracks; None: all
    anywhere: frozenset[int]  # numbers of tracks, whatever folder they are in

    def track(self, id: str) -> bool:
        number = int(id.rpartition("/")[2])
        return self.named is None or id in self.named or number in self.anywhere

    def place(self, place: str) -> bool:
        """Whether 'starnet-p1/001.0' is asked for."""
        return int(place.rpartition(".")[2]) in self.stems and self.track(track_of(place))

    def places(self, folder: str) -> frozenset[str] | None:
        """All that is asked for of a folder, where it can be told without knowing what is there;
        None where not."""
        space = _SPACES[folder]
        if self.named is None or self.anywhere:
            return None
        ids = [id.rpartition("/")[2] for id in self.named if id.startswith(space)]
        return frozenset(f"{folder}/{id}.{stem}" for id in ids for stem in self.stems)

    @property
    def share(self) -> float:
        """Of the stems of a track, in bytes."""
        return len(self.stems) / len(STEMS)


def selection(options: Options) -> Selection:
    """What the options ask for. BenchError where that is nothing that can be."""
    stems = frozenset(_words(options.stems, "stems", _stem) or range(len(STEMS)))
    found = _words(options.tracks, "tracks", _tracks)
    named = frozenset(id for ids, _ in found for id in ids)
    numbers = frozenset(number for _, numbers in found for number in numbers)
    spaces = {id.rpartition("/")[0] + "/" for id in named}
    everywhere = not found or bool(numbers)
    return Selection(
        stems,
        frozenset(FOLDERS if everywhere else spaces),
        named if found else None,
        numbers,
    )


def _words(text: str, name: str, read: Callable[[str], object]) -> list:
    """Each of a list's words, read; nothing for 'all'."""
    if text.strip().lower() == "all":
        return []
    words = [word.strip() for word in re.split("[,/]" if name == "stems" else ",", text)]
    found = [read(word) for word in words if word]
    if not found:
        raise BenchError(f"option starnet.{name} names nothing.", hint="Leave it out for all.")
    return found


def _stem(word: str) -> int:
    names = [name for name, _ in STEMS]
    if word in names:
        return names.index(word)
    if word.isdecimal() and int(word) < len(STEMS):
        return int(word)
    raise UnknownName("stem of starnet:", word, [*names, *map(str, range(len(STEMS)))])


def _tracks(word: str) -> tuple[list[str], list[int]]:
    """(ids, numbers that may be in any folder) of 'p1/001', '001-010', …"""
    found = _TRACKS.fullmatch(word)
    first, last = (int(found[2]), int(found[3] or found[2])) if found else (1, 0)
    if found is None or not first <= last < first + _MOST:
        raise BenchError(
            f"'{word}' is no track of starnet.", hint="Like p1/001, p2/001-010, 001-010."
        )
    numbers = range(first, last + 1)
    if found[1] is None:
        return [], list(numbers)
    width = max(3, len(found[2]))
    return [f"{found[1]}/{number:0{width}}" for number in numbers], []


def place_of(member: str, folder: str) -> str | None:
    """The place of an archive's member, whose folder may not be told; None where it is no stem."""
    path = PurePosixPath(member)
    found = _MEMBER.fullmatch(path.name)
    return f"{folder}/{found[1]}" if found and path.parent.name in ("", folder) else None


def track_of(place: str) -> str:
    """'p1/001' of 'starnet-p1/001.0'."""
    folder, _, name = place.rpartition("/")
    return _SPACES[folder] + name.partition(".")[0]


def told_tracks(ids: Iterable[str]) -> str:
    """'p1/001 to p1/052 and p2/001 to p2/052'."""
    spaces: dict[str, list[str]] = defaultdict(list)
    for id in sorted(ids):
        spaces[id.rpartition("/")[0]].append(id)
    return " and ".join(f"{found[0]} to {found[-1]}" for found in spaces.values()) or "none"


def files_of(root: Path, original: bool) -> Iterator[tuple[str, int, Path]]:
    """(track, stem, file) of what lies there. Where a stem is there as WAV and as FLAC, which is
    the one that was made of it, the original is taken if it is asked for."""
    for space, folder in FOLDERS.items():
        stems: dict[tuple[str, int], dict[str, Path]] = defaultdict(dict)
        for path in sorted((root / folder).glob("*.*")):
            if name := _NAME.fullmatch(path.name):
                stems[space + name[1], int(name[2])][name[3].lower()] = path
        for (track, stem), forms in stems.items():
            wanted = "wav" if original else "flac"
            yield track, stem, forms.get(wanted) or next(iter(forms.values()))
