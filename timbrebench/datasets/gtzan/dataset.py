"""GTZAN Genre Collection: excerpts of recordings, of which the classical ones are the default.

Origin       Tzanetakis & Cook 2002, from CDs, radio and microphones; through mirdata (gtzan_genre)
Size         1000 excerpts of 30 s, 100 a genre, 22 050 Hz mono WAV; 1.2 GB to download
               genres.tar.gz  md5 5b3d6dddb579ab49814ab86dba69e7c7
Instruments  none is named: the genre stands for one (``classical``)
Split        the fault-filtered one of Kereliuk, Sturm & Larsen 2015 (faults.py), which leaves out
             known repeats, distortions and mislabels; with ``faults=kept`` all, by hash
Licence      none is stated; the recordings are commercial
Citation     Tzanetakis & Cook, Musical genre classification of audio signals, IEEE TSAP 2002
Faults       Sturm, The GTZAN dataset: its contents, its faults, arXiv:1306.1461
URL          http://opihi.cs.uvic.ca/sound/genres.tar.gz
"""

from collections.abc import Iterator, Mapping
from itertools import permutations

from timbrebench.core.interfaces import Dataset, Needs, Progress
from timbrebench.core.records import Corpus, Task, Track
from timbrebench.datasets.gtzan.faults import published_split
from timbrebench.datasets.gtzan.options import LICENCE, PAGE, Options
from timbrebench.datasets.indexed.corpus import Entry, generation, index_corpus
from timbrebench.datasets.indexed.library import Library, Source, open_library, why_missing

_KINDS = ("audio",)
SOURCE = Source(
    name="gtzan",
    mirdata="gtzan_genre",
    marker="gtzan_genre/genres",
    remotes=("all",),
    page=PAGE,
    kinds=_KINDS,
)
_FAULTY = "a repeat, distorted or mislabelled (Kereliuk, Sturm & Larsen 2015)"


class Gtzan(Dataset):
    """Excerpts of a genre, or of all."""

    options: Options

    def missing(self) -> str:
        return why_missing(SOURCE, self.root)

    def needs(self) -> Needs:
        from timbrebench.datasets.indexed.preparing import needs

        return needs(SOURCE, self.root, self.options.index, _KINDS)

    def prepare(self, progress: Progress) -> None:
        from timbrebench.datasets.indexed.preparing import prepare

        prepare(SOURCE, self.root, self.options.index, _KINDS, progress)

    def verify(self, progress: Progress) -> Mapping[str, str]:
        from timbrebench.datasets.indexed.checking import damaged

        return damaged(SOURCE, self.root, self._library(), _KINDS, progress)

    def checked(self) -> str:
        return self._library().checked(_KINDS)

    def corpus(self) -> Corpus:
        library = self._library()
        split = _by_hash if self.options.faults == "kept" else _as_published
        notes = {"licence": LICENCE, "source": SOURCE.page, "faults": self.options.faults}
        corpus = index_corpus(SOURCE, library, self._entries(library), split, _groups, notes)
        return library.told(corpus, _KINDS)

    def _library(self) -> Library:
        return open_library(SOURCE, self.root, self.options.index)

    def _entries(self, library: Library) -> Iterator[Entry]:
        known = published_split() if self.options.faults == "left_out" else library.files
        for id, files in library.files.items():
            genre, path = id.partition(".")[0], files["audio"][0]
            if path and self.options.genre in (genre, "all"):
                yield Entry(id, {genre: path}, unfit="" if id in known else _FAULTY)


def _as_published(
    tracks: tuple[Track, ...], units: Mapping[str, str]
) -> tuple[Mapping[str, str], str]:
    return published_split(), "fault-filtered (Kereliuk, Sturm & Larsen 2015)"


def _by_hash(tracks: tuple[Track, ...], units: Mapping[str, str]) -> tuple[Mapping[str, str], str]:
    from timbrebench.core.splits import assign_tracks

    told = "by the hashes of all excerpts' names; artists and repeats may be in two splits"
    return assign_tracks(tracks), told


def _groups(tracks: tuple[Track, ...]) -> Mapping[str, tuple[Task, ...]]:
    """Generation; with several genres, conversions between them too."""
    genres = sorted({name for track in tracks for name in track.stems})
    conversions = tuple(Task("transfer", a, b) for a, b in permutations(genres, 2))
    return {**generation(tracks), **({"all": conversions} if conversions else {})}
