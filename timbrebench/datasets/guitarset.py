"""GuitarSet: solos and accompaniments on an acoustic guitar.

Origin       Xi, Bittner, Pauwels, Ye & Bello 2018; through mirdata (guitarset)
Size         360 excerpts of about 30 s: 6 players × 30 lead sheets × (comp, solo); 44.1 kHz mono
               audio_mono-mic.zip  md5 275966d6610ac34999b58426beb119c3
               audio_mono-pickup_mix.zip  md5 aecce79f425a44e2055e46f680e10f6a
Instruments  acoustic_guitar, by a condenser microphone (or its hexaphonic pickup, mixed to mono)
Split        none is published; by player (the seeded hash of each name): one tests,
             one validates, four train. All play the same lead sheets
Licence      MIT (as mirdata states)
Citation     Xi et al., GuitarSet: A Dataset for Guitar Transcription, ISMIR 2018
URL          https://zenodo.org/records/3371780
"""

from collections.abc import Iterator, Mapping

from timbrebench.core.interfaces import Dataset, Needs, Progress
from timbrebench.core.records import Corpus
from timbrebench.datasets.indexed.corpus import Entry, by_unit, generation, index_corpus
from timbrebench.datasets.indexed.guitarset_options import LICENCE, PAGE, Options
from timbrebench.datasets.indexed.library import Library, Source, open_library, why_missing

_AUDIO = {  # kind of file in the index; its folder; mirdata's download
    "mic": ("audio_mic", "audio_mono-mic"),
    "pickup": ("audio_mix", "audio_mono-pickup_mix"),
}


class GuitarSet(Dataset):
    """One instrument, six players."""

    options: Options

    def missing(self) -> str:
        return why_missing(self._source, self.root)

    def needs(self) -> Needs:
        from timbrebench.datasets.indexed.preparing import needs

        return needs(self._source, self.root, self.options.index, [self._kind])

    def prepare(self, progress: Progress) -> None:
        from timbrebench.datasets.indexed.preparing import prepare

        prepare(self._source, self.root, self.options.index, [self._kind], progress)

    def verify(self, progress: Progress) -> Mapping[str, str]:
        from timbrebench.datasets.indexed.checking import damaged

        return damaged(self._source, self.root, self._library(), [self._kind], progress)

    def checked(self) -> str:
        return self._library().checked([self._kind])

    def corpus(self) -> Corpus:
        library = self._library()
        notes = {"licence": LICENCE, "source": PAGE, "audio": self.options.audio}
        entries = self._entries(library)
        corpus = index_corpus(self._source, library, entries, by_unit("player"), generation, notes)
        return library.told(corpus, [self._kind])

    @property
    def _kind(self) -> str:
        return _AUDIO[self.options.audio][0]

    @property
    def _source(self) -> Source:
        kind, folder = _AUDIO[self.options.audio]
        return Source("guitarset", "guitarset", folder, (kind,), PAGE, (kind,))

    def _library(self) -> Library:
        return open_library(self._source, self.root, self.options.index)

    def _entries(self, library: Library) -> Iterator[Entry]:
        for id, files in library.files.items():
            track, path = library.track(id), files[self._kind][0]
            if path and self.options.mode in ("all", track.mode):
                yield Entry(id, {"acoustic_guitar": path}, track.player_id)
