"""What a set of estimates is held against, and what bounds the distance to it."""

from collections.abc import Sequence
from dataclasses import replace

from timbrebench.core.interfaces import LABELLED, PUBLISHED, TEST
from timbrebench.core.records import Clip, Corpus
from timbrebench.core.signs import alive

Stem = tuple[str, str]  # (track, instrument)
MOST_LABELLED = 32  # tracks of an instrument: enough to tell it from others, and soon embedded


class References:
    """Real clips of a corpus, by protocol: train, test, published or labelled."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.loaded: dict[tuple[str, str, int, int | None], list[Clip]] = {}

    def __call__(
        self, instrument: str, rate: int, protocol: str = "train"
    ) -> tuple[Sequence[Clip], str]:
        """(clips at ``rate`` Hz, what they are): the instrument's training or test tracks, or
        every stem of the corpus.

        A corpus that trains nothing (``--split all``) has no training tracks: then its test
        tracks, said so.
        """
        if protocol == PUBLISHED:
            stems = [(t.id, name) for t in self.corpus.tracks for name in t.stems]
            return _Loading(self.corpus, stems, rate), "the whole corpus, sources included"
        if protocol == LABELLED:
            alone = [name for name in self.corpus.instruments if "+" not in name]
            clips = [c for n in alone for c in self._clips("train", n, rate, MOST_LABELLED)]
            return clips, f"train tracks of {len(alone)} instruments"
        split = self._split(instrument, protocol)
        return self._clips(split, instrument, rate), f"{split} tracks of {instrument}"

    def held_out(
        self, instrument: str, protocol: str, like: Sequence[Clip]
    ) -> tuple[list[Clip], str]:
        """(real clips of the instrument that are not among the references of the protocol, as many
        and as long as ``like``, as far as there are any; what they are)."""
        rate = like[0].rate
        apart = "train" if self._split(instrument, protocol) == "test" else "test"
        clips = self._clips(apart, instrument, rate)
        cut = [
            Clip(real.samples[: len(made.samples)], rate, instrument, real.track)
            for real, made in zip(clips, like, strict=False)
        ]
        return cut, f"{apart} tracks of {instrument}"

    def sources(self, instrument: str, like: Sequence[Clip]) -> list[Clip]:
        """The stems by an instrument that estimates were made from, cut to their length, under the
        estimates' names: as if each were one."""
        return [
            replace(c, samples=_load(self.corpus, c.track, instrument, c.rate).samples[:n])
            for c, n in ((clip, len(clip.samples)) for clip in like)
        ]

    def _split(self, instrument: str, protocol: str) -> str:
        trains = bool(self.corpus.tracks_of("train", instrument))
        return "test" if protocol == TEST or not trains else "train"

    def _clips(self, split: str, instrument: str, rate: int, most: int | None = None) -> list[Clip]:
        key = split, instrument, rate, most
        if key not in self.loaded:
            ids = [t.id for t in self.corpus.tracks_of(split, instrument)[:most]]
            self.loaded[key] = [_load(self.corpus, id, instrument, rate) for id in ids]
        return self.loaded[key]


def _load(corpus: Corpus, track: str, instrument: str, rate: int) -> Clip:
    alive()
    return corpus.load(track, instrument, rate)


class _Loading(Sequence[Clip]):
    """Stems that are loaded one by one, each time: a whole corpus may not fit into memory."""

    def __init__(self, corpus: Corpus, stems: Sequence[Stem], rate: int) -> None:
        self.corpus, self.stems, self.rate = corpus, stems, rate

    def __len__(self) -> int:
        return len(self.stems)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            return [self._load(stem) for stem in self.stems[index]]
        return self._load(self.stems[index])

    def _load(self, stem: Stem) -> Clip:
        track, instrument = stem
        clip = _load(self.corpus, track, instrument, self.rate)
        return Clip(clip.samples, clip.rate, instrument, f"{track}/{instrument}")
