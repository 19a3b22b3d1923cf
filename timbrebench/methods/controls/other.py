"""A control that plays real music by the wrong instrument: what "the right one" is worth."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from timbrebench.core import audio
from timbrebench.core.errors import NotApplicable, UnknownName
from timbrebench.core.interfaces import Method, Trained
from timbrebench.core.mel import MelSpec, log_mel, preset
from timbrebench.core.records import Clip, Corpus
from timbrebench.methods.controls.excerpts import excerpt, together
from timbrebench.methods.controls.filters import beginnings
from timbrebench.methods.controls.references import Rngs, corpus_of

SECONDS = 120.0  # of training audio that an instrument's timbre is described by
LEVEL = 0.1  # RMS at which timbres are compared


class Other(Method):
    """Real music by the instrument nearest in timbre to the asked one, as if it were that.

    A model of an instrument should come closer to its recordings than this does. Near is
    measured on training tracks: by the means and deviations of the bands of their log-mels, all
    tracks at one level. Instruments that share a sound with the asked one, as mixtures do, are
    left out.
    """

    def __init__(self, options: Any, mel: MelSpec | None = None) -> None:
        super().__init__(options, mel)
        self._timbre = cache(self._describe)

    def setup(self, corpus: Corpus, trained: Mapping[str, Trained], device: str) -> None:
        super().setup(corpus, trained, device)
        named = self.options.instrument
        if named and named not in corpus.instruments:
            raise UnknownName(f"instrument of {corpus.name}:", named, corpus.instruments)

    def generate(self, instrument: str, count: int, seconds: float, rngs: Rngs) -> list[Clip]:
        """Excerpts of test tracks."""
        other = self._instead_of(instrument)
        clips = [excerpt(corpus_of(self), other, seconds, rng) for rng in rngs]
        return [replace(clip, instrument=instrument) for clip in clips]

    def generate_pair(
        self, a: str, b: str, count: int, seconds: float, rngs: Rngs
    ) -> tuple[list[Clip], list[Clip]]:
        """The same moment of one test track by two others: related music, wrong timbres."""
        if named := self.options.instrument:
            raise NotApplicable(f"'{named}' alone cannot play both halves of a pair")
        first = self._instead_of(a)
        second = self._instead_of(b, taken={first})
        pairs = [together(corpus_of(self), (first, second), seconds, rng) for rng in rngs]
        return (
            [replace(pair[0], instrument=a) for pair in pairs],
            [replace(pair[1], instrument=b) for pair in pairs],
        )

    def _instead_of(self, asked: str, taken: Collection[str] = ()) -> str:
        """The named instrument, or the nearest one that is not ``taken``."""
        named = self.options.instrument
        found = [
            name
            for name in _strangers(corpus_of(self), asked)
            if name not in taken and named in (None, name)
        ]
        if not found:
            told = f"'{named}'" if named else "another instrument"
            raise NotApplicable(f"there is no test track by {told} to play instead of '{asked}'")
        return found[0] if len(found) == 1 else min(found, key=lambda i: self._distance(i, asked))

    def _distance(self, one: str, other: str) -> float:
        return float(np.linalg.norm(self._timbre(one) - self._timbre(other)))

    def _describe(self, instrument: str) -> np.ndarray:
        """[2 · bands], over all frames of its training audio."""
        corpus, spec = corpus_of(self), preset("soundstream")
        tracks = corpus.tracks_of("train", instrument)
        mels = [
            log_mel(audio.match_rms(samples, LEVEL), spec).numpy()
            for samples in beginnings(corpus, tracks, instrument, spec.rate, SECONDS)
        ]
        frames = np.concatenate(mels, axis=1)
        return np.concatenate([frames.mean(axis=1), frames.std(axis=1)])


def _strangers(corpus: Corpus, asked: str) -> Sequence[str]:
    """The instruments with test tracks that have no sound in common with the asked one."""
    sounds = set(asked.split("+"))
    return [
        name
        for name in corpus.instruments
        if not sounds & set(name.split("+")) and corpus.tracks_of("test", name)
    ]
