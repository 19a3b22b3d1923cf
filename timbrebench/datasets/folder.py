"""Folder: any audio of your own, a folder an instrument.

    ROOT/piano/prelude.wav    ROOT/guitar/prelude.flac    ROOT/guitar/etude.mp3

Origin       yours
Formats      WAV, FLAC, MP3, OGG; any rate and up to 8 channels (mixed to mono). Greyscale
             spectrograms STEM_chunkN.png as `bench data spectrograms` writes them, which `bench
             data prepare folder` makes audio of (core.spectrograms, core.pictured)
Split        by the seeded hash of each track's id (core.splits), or as ROOT/splits.csv says
             (core.split_list)
Pairing      by file name: files called alike in two instruments' folders are one track, whose id
             is that name. The id of a track that one instrument alone has is instrument/name,
             whatever else there is. Where no name is shared, the corpus is unpaired
"""

import dataclasses
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import permutations
from pathlib import Path

from timbrebench.core import pictured
from timbrebench.core.errors import BenchError, MissingData, shown
from timbrebench.core.interfaces import Dataset, Progress
from timbrebench.core.records import Corpus, Task, Track
from timbrebench.core.split_list import SPLIT_LIST, read_splits

_LAYOUT = "Put audio at ROOT/piano/one.wav, ROOT/guitar/one.wav, … and say --data-root ROOT."
_RESERVED = ("generate", "pair", "mixed")  # words of a task's name
_SEPARATORS = ":,;=[]@"  # in lists of tasks and options
_UNPRINTABLE = "its name has characters that cannot be shown"

Stems = dict[str, dict[str, Path]]  # track → instrument → file


class Folder(Dataset):
    """ROOT/{instrument}/*.wav|flac|mp3|ogg."""

    def missing(self) -> str:
        if self.root is None:
            return f"the dataset 'folder' was not told where its audio is. {_LAYOUT}"
        if not self.root.is_dir():
            return f"the dataset 'folder' has no folder '{self.root}'. {_LAYOUT}"
        unmade = pictured.unmade(self._pictured()[0].values())
        if unmade:
            many = f"{len(unmade)} recordings of {self.root} are pictures only"
            return f"{many}. Make audio of them: bench data prepare folder --data-root {self.root}"
        return ""

    def prepare(self, progress: Progress) -> None:
        """Makes audio of what is there as spectrograms."""
        if self.root is None or not self.root.is_dir():
            return
        pictures = {
            f"{folder.name}/{name}": found
            for folder in _visible(self.root)
            for name, found in _pictures(folder)[0].items()
        }
        pictured.make_audio(pictures, progress)

    def _pictured(self) -> tuple[dict[Path, Path], dict[str, str]]:
        """(recording as if it were a file of the layout → its audio, what cannot be used)."""
        found: dict[Path, Path] = {}
        left_out: dict[str, str] = {}
        for folder in _visible(self.root) if self.root else ():
            recordings, broken = _pictures(folder)
            for name, file in pictured.audio_files(recordings).items():
                if reason := pictured.why_not(file):
                    broken[name] = reason
                else:
                    found[folder / f"{name}.png"] = file
            left_out |= {f"{folder.name}/{shown(name)}": why for name, why in broken.items()}
        return found, left_out

    def corpus(self) -> Corpus:
        from timbrebench.core.audio import probe
        from timbrebench.core.fingerprint import seal
        from timbrebench.core.splits import assign_tracks, with_splits
        from timbrebench.core.usable import probe_all

        if self.root is None or self.missing():
            raise MissingData(self.missing())
        files, misnamed = _audio_files(self.root)
        usable, unreadable = probe_all(files, self.root)
        pictures, unreadable_pictures = self._pictured()
        stems, doubled = _named([*usable, *pictures], self.root)
        usable |= {name: probe(file)[:2] for name, file in pictures.items()}
        left_out = misnamed | unreadable | unreadable_pictures | doubled
        if not stems:
            raise MissingData(f"{self.root}: no usable audio{_first(left_out)}.", hint=_LAYOUT)
        paired = any(len(files) > 1 for files in stems.values())
        tracks = _tracks(stems, {path: seconds for path, (seconds, _) in usable.items()})
        tracks = tuple(_with_audio(track, pictures) for track in tracks)
        stated, unnamed = _stated(tracks, read_splits(self.root))
        splits = assign_tracks(tracks) | stated
        tracks, fingerprint, copies = seal(with_splits(tracks, splits))
        return Corpus(
            name="folder",
            tracks=tracks,
            groups=_groups(tracks, paired),
            fingerprint=fingerprint,
            rate=min(rate for _, rate in usable.values()),
            notes={"paired": paired, "left_out": left_out | copies | unnamed},
        )


def _audio_files(root: Path) -> tuple[list[Path], dict[str, str]]:
    """(files by the layout, names that cannot be used and why); hidden ones are passed over."""
    from timbrebench.core.audio import SUFFIXES

    found, left_out = [], {}
    for folder in _visible(root):
        reason = _unusable(folder.name) if folder.is_dir() else ""
        if reason:
            left_out[shown(folder.name)] = reason
        for path in _visible(folder) if folder.is_dir() and not reason else ():
            if path.suffix.lower() not in SUFFIXES:
                continue
            if path.name.isprintable():
                found.append(path)
            else:
                left_out[f"{folder.name}/{shown(path.name)}"] = _UNPRINTABLE
    return found, left_out


def _pictures(folder: Path) -> tuple[dict[str, list[Path]], dict[str, str]]:
    """The recordings of an instrument that are there as pictures, and those that lack one."""
    if not folder.is_dir() or _unusable(folder.name):
        return {}, {}
    names = (path for path in _visible(folder) if path.suffix.lower() == ".png")
    usable = (path for path in names if path.name.isprintable() and path.is_file())
    return pictured.recordings_of(usable)


def _with_audio(track: Track, pictures: Mapping[Path, Path]) -> Track:
    """The track with the audio of its pictures in their place."""
    stems = {name: pictures.get(path, path) for name, path in track.stems.items()}
    return dataclasses.replace(track, stems=stems)


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _named(paths: Iterable[Path], root: Path) -> tuple[Stems, dict[str, str]]:
    """(files by name and instrument, files whose name is taken and by which)."""
    stems: Stems = defaultdict(dict)
    left_out = {}
    for path in paths:
        # The same 'é' may be one character or two: systems differ.
        name = unicodedata.normalize("NFC", path.stem)
        taken = stems[name].setdefault(path.parent.name, path)
        if taken != path:
            left_out[str(path.relative_to(root))] = f"{taken.name} has the same name"
    return stems, left_out


def _tracks(stems: Stems, seconds: Mapping[Path, float]) -> tuple[Track, ...]:
    """A track a name. Its id depends on its own files alone, so that another file changes no other
    track's, nor its split."""
    return tuple(
        Track(
            id=name if len(files) > 1 else f"{next(iter(files))}/{name}",
            stems=files,
            seconds=min(seconds[path] for path in files.values()),
        )
        for name, files in sorted(stems.items())
    )


def _stated(
    tracks: Iterable[Track], splits: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """(track → the split that the list has under its files' name, rows that name no track).
    BenchError where a row is meant for a track, and names its file: it would be passed over."""
    names = {track.id: track.id.rpartition("/")[2] for track in tracks}
    unnamed = splits.keys() - set(names.values())
    for row in sorted(unnamed):
        name = Path(row).stem
        if name in names.values() or name in names:
            meant = f"a track's name has neither folder nor ending; say '{name}'"
            raise BenchError(f"{SPLIT_LIST}, '{shown(row)}': {meant}.")
    told = {f"{SPLIT_LIST}: {shown(row)}": "no usable track has this name" for row in unnamed}
    return {id: splits[name] for id, name in names.items() if name in splits}, told


def _unusable(instrument: str) -> str:
    """Why a folder's name cannot be an instrument's; '' if it can."""
    if instrument in _RESERVED:
        return f"'{instrument}' is a word of task names, no instrument"
    if any(c in instrument for c in _SEPARATORS):
        return f"an instrument's name must hold none of {_SEPARATORS}"
    return "" if instrument.isprintable() else _UNPRINTABLE


def _first(left_out: Mapping[str, str]) -> str:
    return "".join(f" ({name}: {why})" for name, why in list(left_out.items())[:1])


def _groups(tracks: tuple[Track, ...], paired: bool) -> Mapping[str, tuple[Task, ...]]:
    """Conversions between instruments (those with a counterpart, in a paired corpus), then
    generation. The first that is not empty is the default."""
    instruments = sorted({i for t in tracks for i in t.stems})
    conversions = tuple(
        Task("transfer", a, b)
        for a, b in permutations(instruments, 2)
        if not paired or any(t.pairs(a, b) for t in tracks)
    )
    groups = {
        "all": conversions,
        "generate": tuple(Task("generate", i) for i in instruments),
    }
    return {name: tasks for name, tasks in groups.items() if tasks}
