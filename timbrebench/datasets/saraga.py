"""Saraga Carnatic: concerts of South Indian classical music.

Origin       Bozkurt, Srinivasamurthy, Gulati & Serra, CompMusic 2018; through mirdata
             (saraga_carnatic)
Size         249 recordings, 168 of them with a track a musician; 44.1 kHz MP3
               saraga1.5_carnatic.zip  md5 e4fcd380b4f6d025964cd16aee00273d
Instruments  carnatic (the whole ensemble); with ``stems``: vocal, violin, ghatam,
             mridangam_left and mridangam_right, which bleed into each other's microphones
Split        none is published; by artist, as the folders are named (the seeded hash of each
             name), so that no singer is in two splits
Licence      CC BY-NC-SA 4.0
Citation     Bozkurt et al., Saraga: research datasets of Indian Art Music, 2018
URL          https://zenodo.org/records/4301737
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from timbrebench.core.interfaces import Dataset, Needs, Progress
from timbrebench.core.records import Corpus, Task, Track
from timbrebench.datasets.indexed.corpus import Entry, by_unit, generation, index_corpus
from timbrebench.datasets.indexed.library import Library, Source, open_library, why_missing
from timbrebench.datasets.indexed.saraga_options import LICENCE, PAGE, Options

SOURCE = Source(
    name="saraga",
    mirdata="saraga_carnatic",
    marker="saraga1.5_carnatic",
    remotes=("all",),
    page=PAGE,
)
_ENSEMBLE = {"carnatic": "audio-mix"}  # instrument → kind of file in the index
_STEMS = {
    "vocal": "audio-vocal",
    "violin": "audio-violin",
    "ghatam": "audio-ghatam",
    "mridangam_left": "audio-mridangam-left",
    "mridangam_right": "audio-mridangam-right",
}


class Saraga(Dataset):
    """The ensemble, or its musicians, each with a part of their own."""

    options: Options

    def missing(self) -> str:
        return why_missing(SOURCE, self.root)

    def needs(self) -> Needs:
        from timbrebench.datasets.indexed.preparing import needs

        return needs(SOURCE, self.root, self.options.index, list(self._kinds.values()))

    def prepare(self, progress: Progress) -> None:
        from timbrebench.datasets.indexed.preparing import prepare

        prepare(SOURCE, self.root, self.options.index, list(self._kinds.values()), progress)

    def verify(self, progress: Progress) -> Mapping[str, str]:
        from timbrebench.datasets.indexed.checking import damaged

        return damaged(SOURCE, self.root, self._library(), list(self._kinds.values()), progress)

    def checked(self) -> str:
        return self._library().checked(self._kinds.values())

    def corpus(self) -> Corpus:
        library = self._library()
        notes = {"licence": LICENCE, "source": SOURCE.page}
        entries = self._entries(library)
        corpus = index_corpus(SOURCE, library, entries, by_unit("artist"), _groups, notes)
        return library.told(corpus, self._kinds.values())

    @property
    def _kinds(self) -> Mapping[str, str]:
        return _STEMS if self.options.stems else _ENSEMBLE

    def _library(self) -> Library:
        return open_library(SOURCE, self.root, self.options.index)

    def _entries(self, library: Library) -> Iterator[Entry]:
        for id, files in library.files.items():
            stems = {
                name: path
                for name, kind in self._kinds.items()
                if (path := files.get(kind, ("", ""))[0])
            }
            if stems:
                parts = {name: name for name in stems} if self.options.stems else {}
                yield Entry(id, stems, _artist(next(iter(stems.values()))), parts=parts)


def _artist(path: str) -> str:
    """Whom a concert's folder is named for: 'saraga1.5_carnatic/CONCERT by ARTIST/TITLE/…'."""
    concert = next(iter(PurePosixPath(path).parts[1:]), "")
    return concert.rpartition(" by ")[2].strip().casefold()


def _groups(tracks: tuple[Track, ...]) -> Mapping[str, tuple[Task, ...]]:
    """Generation; of the musicians' tracks also conversions between the two that sing the melody
    (without counterparts, for each plays it in its own way), and the pair of them."""
    groups = dict(generation(tracks))
    if all(any(name in t.stems for t in tracks) for name in ("vocal", "violin")):
        there, back = Task("transfer", "vocal", "violin"), Task("transfer", "violin", "vocal")
        groups["single"] = (there, back)
        groups["pair"] = (Task("pair", "vocal", "violin"),)
    return groups
