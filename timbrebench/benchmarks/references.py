"""What a set of estimates is held against."""

from timbrebench.core.records import Clip, Corpus


class References:
    """Real clips of instruments, loaded once."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.loaded: dict[tuple[str, int], tuple[list[Clip], str]] = {}

    def __call__(self, instrument: str, rate: int) -> tuple[list[Clip], str]:
        """(clips at ``rate`` Hz, what they are): the instrument's training tracks.

        A corpus that trains nothing (``--split all``) has none: then its test tracks, said so.
        """
        if (instrument, rate) not in self.loaded:
            split = "train" if self.corpus.tracks_of("train", instrument) else "test"
            ids = [t.id for t in self.corpus.tracks_of(split, instrument)]
            clips = [self.corpus.load(id, instrument, rate) for id in ids]
            self.loaded[instrument, rate] = clips, f"{split} tracks of {instrument}"
        return self.loaded[instrument, rate]
