"""Excerpts of real music, for controls that play it instead of making any."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from timbrebench.core.errors import NotApplicable
from timbrebench.core.records import Clip, Corpus, Track


def excerpt(
    corpus: Corpus,
    instrument: str,
    seconds: float,
    rng: np.random.Generator,
    rate: int | None = None,
) -> Clip:
    """``seconds`` of a random test track of the instrument, from a random place in it."""
    return together(corpus, (instrument,), seconds, rng, rate)[0]


def together(
    corpus: Corpus,
    instruments: Sequence[str],
    seconds: float,
    rng: np.random.Generator,
    rate: int | None = None,
) -> list[Clip]:
    """As :func:`excerpt`, by each of the instruments: the same place of the same track."""
    tracks = corpus.tracks_together("test", *instruments)
    if not tracks:
        raise NotApplicable(f"no test track by {' and '.join(instruments)}")
    return excerpts_of(corpus, tracks, instruments, seconds, rng, rate)


def excerpts_of(
    corpus: Corpus,
    tracks: Sequence[Track],
    instruments: Sequence[str],
    seconds: float,
    rng: np.random.Generator,
    rate: int | None = None,
) -> list[Clip]:
    """As :func:`together`, of one of the ``tracks``. What is too short is repeated."""
    track = tracks[int(rng.integers(len(tracks)))]
    clips = [corpus.load(track.id, name, rate or corpus.rate) for name in instruments]
    length = round(seconds * clips[0].rate)
    shortest = min(len(clip.samples) for clip in clips)
    start = rng.integers(max(shortest - length, 0) + 1)
    return [replace(c, samples=np.resize(c.samples[start:shortest], length)) for c in clips]
