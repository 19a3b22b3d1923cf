"""A cell's method at work on sound that is in no corpus. Heavy."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from timbrebench.benchmarks.making import (
    RATE,
    STYLE_CLIPS,
    STYLE_SECONDS,
    as_clip,
    vocoder_of,
)
from timbrebench.benchmarks.session import Session
from timbrebench.core import audio, seeds
from timbrebench.core.errors import BenchError, one_line
from timbrebench.core.interfaces import Trained
from timbrebench.core.overlap import watched
from timbrebench.core.records import Clip, Mels, Task

Listen = Callable[[float], None]  # share done in 0..1


class Player:
    """The method of a session, with its trained stages.

    ``without_corpus`` says why the corpus cannot be read, '' if it can; ``notes`` are words for
    the user on how the method was set up.
    """

    def __init__(
        self,
        session: Session,
        trained: Mapping[str, Trained],
        label: str,
        without_corpus: str,
        notes: Sequence[str],
    ) -> None:
        self.session, self.label, self.notes = session, label, notes
        self.without_corpus = without_corpus
        self.vocoder = vocoder_of(session)
        with self._working():
            session.method.setup(session.corpus, trained, session.device)

    @property
    def rate(self) -> int:
        """Hz that the method takes clips at."""
        mel = self.session.method.mel
        return mel.rate if mel else RATE

    # ------------------------------------------------------------------ what it makes

    def transfer(
        self, clip: Clip, task: Task, styles: Sequence[Clip], seed: int, listen: Listen
    ) -> Clip:
        """A clip as ``task.target`` would play it, at any level. Equal seeds mean equal noise."""
        samples = audio.resample(clip.samples, clip.rate, self.rate)
        short = max(round(audio.MIN_SECONDS * self.rate) - len(samples), 0)
        given = Clip(np.pad(samples, (0, short)), self.rate, task.source, clip.track)
        rng = seeds.generator("transfer", seed, task.target)
        with self._working(), watched(lambda done, total: listen(done / total)):
            made = self.session.method.transfer([given], task, [styles], [rng])
            return self._clip(made)

    def generate(self, instrument: str, seconds: float, seed: int, number: int) -> Clip:
        """The clip of that number: it does not depend on how many others are made."""
        rng = seeds.generator("generate", seed, instrument, number)
        with self._working():
            return self._clip(self.session.method.generate(instrument, 1, seconds, [rng]))

    def pair(self, task: Task, seconds: float, seed: int, number: int) -> list[Clip]:
        """The two clips of the pair of that number."""
        rng = seeds.generator("pair", seed, task.name, number)
        with self._working():
            made = self.session.method.generate_pair(task.a, task.b, 1, seconds, [rng])
            return [self._clip(half) for half in made]

    def _clip(self, given: Mels | list[Clip]) -> Clip:
        """The only result of the method, as audio."""
        return as_clip(given, self.vocoder, {"vocoder_seconds": 0.0})

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """Whatever the method raises, in words."""
        try:
            yield
        except BenchError:
            raise
        except Exception as error:
            raise BenchError(f"the method {self.label} failed: {one_line(error)}.") from error

    # ------------------------------------------------------------------ styles

    def styles(self, target: str, given: Sequence[Path], seed: int) -> Sequence[Clip]:
        """The files that were given as examples of the target, else training tracks of it.

        These are read when the method asks for them: not every one does.
        """
        if given:
            clips = [Clip(audio.load(f, self.rate), self.rate, target, f.stem) for f in given]
            for file, clip in zip(given, clips, strict=True):
                if audio.rms(clip.samples) == 0:
                    raise BenchError(f"{file}: it is silent, and no example of {target}.")
            return clips
        return _Drawn(lambda: self._draw(target, seed))

    def _draw(self, target: str, seed: int) -> list[Clip]:
        corpus = self.session.corpus
        found = sorted(t.id for t in corpus.tracks_of("train", target))
        drawn = seeds.generator("styles", seed, target).permutation(found)[:STYLE_CLIPS]
        try:
            clips = [corpus.load(str(t), target, self.rate, STYLE_SECONDS) for t in drawn]
        except BenchError as error:
            raise self.lacks_corpus(target, error.what) from error
        if not clips:
            raise self.lacks_corpus(target, self.without_corpus or "it has none")
        return clips

    def lacks_corpus(self, target: str, reason: str) -> BenchError:
        """That the training tracks of an instrument cannot be had."""
        name = self.session.cell["dataset_choice"]["name"]
        return BenchError(
            f"{self.label} needs training tracks of {target}, and they cannot be read: {reason}",
            hint=f"Give examples with --style FILE, or: bench data prepare {name}",
        )


class _Drawn(Sequence[Clip]):
    """Clips that are loaded when the first is looked at."""

    def __init__(self, load: Callable[[], list[Clip]]) -> None:
        self._load = load

    @functools.cached_property
    def _clips(self) -> list[Clip]:
        return self._load()

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Clip]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._clips[index]

    def __len__(self) -> int:
        return len(self._clips)
