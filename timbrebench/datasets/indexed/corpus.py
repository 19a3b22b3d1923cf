"""From an index's entries to a corpus: what is there and can be used, split by unit."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timbrebench.core.errors import MissingData
from timbrebench.core.records import Corpus, Task, Track
from timbrebench.datasets.indexed.library import Library, Source

Splits = Mapping[str, str]  # track → split


@dataclass(frozen=True)
class Entry:
    """A track as the index has it."""

    id: str
    stems: Mapping[str, str]  # instrument → path below the library's home
    unit: str = ""  # a player, an artist: never in two splits
    score: str = ""  # path of the written notes, as MIDI
    parts: Mapping[str, str] = field(default_factory=dict)
    unfit: str = ""  # why it is left out, if it is


def index_corpus(
    source: Source,
    library: Library,
    entries: Iterable[Entry],
    split: Callable[[tuple[Track, ...], Mapping[str, str]], tuple[Splits, str]],
    groups: Callable[[tuple[Track, ...]], Mapping[str, tuple[Task, ...]]],
    notes: Mapping[str, Any],
) -> Corpus:
    """``split`` gets the tracks and the unit of each, and gives splits and how they were made."""
    from timbrebench.core.fingerprint import seal
    from timbrebench.core.splits import with_splits
    from timbrebench.core.usable import probe_all

    listed = list(entries)
    entries = [e for e in listed if not e.unfit]
    places, absent, left_out = _places(library, entries)
    faulty = {e.id: e.unfit for e in listed if e.unfit and _is_there(library, e)}
    usable, unusable = probe_all(list(places.values()), library.home)
    tracks = _tracks(library, entries, places, usable)
    if not tracks:
        raise MissingData(_nothing(source, library, len(entries), left_out | unusable))
    splits, told = split(tracks, {e.id: e.unit for e in entries})
    tracks, fingerprint, copies = seal(with_splits(tracks, splits))
    card = {"split": told, "index": library.index.name, **notes}
    if faulty:
        card["known_faults"] = faulty
    if absent:
        card["absent"] = f"{absent} of the files that the index names are not there"
    return Corpus(
        name=source.name,
        tracks=tracks,
        groups=groups(tracks),
        fingerprint=fingerprint,
        rate=min(rate for _, rate in usable.values()),
        notes={**card, "left_out": left_out | unusable | copies},
    )


def _places(
    library: Library, entries: Iterable[Entry]
) -> tuple[dict[str, Path], int, dict[str, str]]:
    """(index's path → file that is there, how many are not, paths that are refused)."""
    home = library.home.resolve()
    found, absent, refused = {}, 0, {}
    for name in (name for entry in entries for name in entry.stems.values()):
        path = library.home / name
        if not path.resolve().is_relative_to(home):
            refused[name] = "the index leads out of the folder"
        elif path.is_file():
            found[name] = path
        else:
            absent += 1
    return found, absent, refused


def _is_there(library: Library, entry: Entry) -> bool:
    return any((library.home / name).is_file() for name in entry.stems.values())


def _tracks(
    library: Library,
    entries: Iterable[Entry],
    places: Mapping[str, Path],
    usable: Mapping[Path, tuple[float, int]],
) -> tuple[Track, ...]:
    """The entries with the stems that can be used."""
    tracks = []
    for entry in entries:
        stems = {i: places[n] for i, n in entry.stems.items() if places.get(n) in usable}
        if stems:
            score = library.home / entry.score if entry.score else None
            seconds = min(usable[path][0] for path in stems.values())
            parts = {i: part for i, part in entry.parts.items() if i in stems}
            tracks.append(Track(entry.id, stems, "train", seconds, score, parts, unit=entry.unit))
    return tuple(sorted(tracks, key=lambda t: t.id))


def _nothing(source: Source, library: Library, named: int, left_out: Mapping[str, str]) -> str:
    first = "".join(f" ({name}: {why})" for name, why in list(left_out.items())[:1])
    if not named:
        return (
            f"{library.index.name} has no track that the options of '{source.name}' take. "
            f"See: bench info {source.name}"
        )
    return (
        f"{library.home}: none of the {named} recordings that {library.index.name} names can be "
        f"used{first}. {source.hint(None)}"
    )


def by_unit(what: str) -> Callable[[tuple[Track, ...], Mapping[str, str]], tuple[Splits, str]]:
    """By the hashes of units, so that none is in two splits."""

    def split(tracks: tuple[Track, ...], units: Mapping[str, str]) -> tuple[Splits, str]:
        from timbrebench.core.splits import assign_tracks

        return assign_tracks(tracks), f"by {what}, by the hash of its name"

    return split


def generation(tracks: tuple[Track, ...]) -> Mapping[str, tuple[Task, ...]]:
    """A task for each instrument."""
    names = sorted({name for track in tracks for name in track.stems})
    return {"generate": tuple(Task("generate", name) for name in names)}
