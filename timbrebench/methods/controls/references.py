"""Controls that fit nothing: copy, shuffled, oracle, noise."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from timbrebench.core import audio
from timbrebench.core.errors import NotApplicable
from timbrebench.core.interfaces import Method
from timbrebench.core.mel import MelSpec, log_mel, preset
from timbrebench.core.records import Clip, Corpus, Mels, Task, Track
from timbrebench.core.seeds import generator
from timbrebench.methods.controls.excerpts import excerpt, excerpts_of, together

Rngs = Sequence[np.random.Generator]
Styles = Sequence[Sequence[Clip]]

# Under this state denormalising changes nothing, so that log-mels pass as they are.
AS_THEY_ARE = {"low": -1.0, "high": 1.0}


class Copy(Method):
    """The source, unchanged: the best content that there is, and no timbre of the target."""

    def transfer(self, clips: Sequence[Clip], task: Task, styles: Styles, rngs: Rngs) -> list[Clip]:
        return [replace(clip, instrument=task.target) for clip in clips]


class Noise(Method):
    """White noise at the source's level: the worst content and the worst timbre."""

    def transfer(self, clips: Sequence[Clip], task: Task, styles: Styles, rngs: Rngs) -> list[Clip]:
        return [
            replace(
                clip,
                samples=_noise(rng, len(clip.samples), audio.rms(clip.samples)),
                instrument=task.target,
            )
            for clip, rng in zip(clips, rngs, strict=True)
        ]

    def generate(self, instrument: str, count: int, seconds: float, rngs: Rngs) -> list[Clip]:
        """At the level of a test track of the instrument."""
        clips = []
        for rng in rngs:
            real = excerpt(corpus_of(self), instrument, seconds, rng)
            samples = _noise(rng, len(real.samples), audio.rms(real.samples))
            clips.append(replace(real, samples=samples, track=""))
        return clips

    def generate_pair(
        self, a: str, b: str, count: int, seconds: float, rngs: Rngs
    ) -> tuple[list[Clip], list[Clip]]:
        """Two that have nothing in common."""
        return self.generate(a, count, seconds, rngs), self.generate(b, count, seconds, rngs)


class Shuffled(Method):
    """A wrong track of the right instrument: the best timbre that there is, and wrong content.

    The tracks of the source's own split stand in a drawn order, always the same, and each gets the
    next one: where every track has all instruments, each is heard once, and the set of them is the
    real music of that split. If the split has no other track, one is drawn from the validation or
    test tracks; never from training tracks, which timbre is measured against.
    """

    def transfer(self, clips: Sequence[Clip], task: Task, styles: Styles, rngs: Rngs) -> list[Clip]:
        return [self._wrong(clip, task) for clip in clips]

    def _wrong(self, clip: Clip, task: Task) -> Clip:
        corpus = corpus_of(self)
        others = _other_tracks(corpus, clip.track, task.target)
        if not others:
            raise NotApplicable(
                f"no validation or test track by {task.target} other than '{clip.track}'"
            )
        ids = sorted([clip.track, *(track.id for track in others)])
        order = [ids[i] for i in generator("shuffled", task.target, *ids).permutation(len(ids))]
        chosen = order[(order.index(clip.track) + 1) % len(order)]
        real = corpus.load(chosen, task.target, clip.rate, clip.seconds)
        samples = np.resize(real.samples, len(clip.samples))  # repeats what is too short
        return Clip(samples, clip.rate, task.target, clip.track)

    def generate(self, instrument: str, count: int, seconds: float, rngs: Rngs) -> list[Clip]:
        """Excerpts of test tracks: what real pieces get."""
        return [excerpt(corpus_of(self), instrument, seconds, rng) for rng in rngs]

    def generate_pair(
        self, a: str, b: str, count: int, seconds: float, rngs: Rngs
    ) -> tuple[list[Clip], list[Clip]]:
        """Excerpts of two different tracks: the right timbres, and music that is not related."""
        pairs = [self._unrelated(a, b, seconds, rng) for rng in rngs]
        return [first for first, _ in pairs], [second for _, second in pairs]

    def _unrelated(
        self, a: str, b: str, seconds: float, rng: np.random.Generator
    ) -> tuple[Clip, Clip]:
        corpus = corpus_of(self)
        first = excerpt(corpus, a, seconds, rng)
        others = _other_tracks(corpus, first.track, b)
        if not others:
            raise NotApplicable(f"no validation or test track by {b} other than '{first.track}'")
        (second,) = excerpts_of(corpus, others, (b,), seconds, rng)
        return first, second


class Oracle(Method):
    """The reference itself through the mel and the vocoder: the bound for what uses both."""

    def __init__(self, options: Any, mel: MelSpec | None = None) -> None:
        super().__init__(options, preset(options.mel))

    def transfer(self, clips: Sequence[Clip], task: Task, styles: Styles, rngs: Rngs) -> Mels:
        spec = _spec_of(self)
        return as_mels([self._reference(clip, task, spec.rate) for clip in clips], spec)

    def _reference(self, clip: Clip, task: Task, rate: int) -> np.ndarray:
        """[n] samples at ``rate``, as long as the clip."""
        corpus = corpus_of(self)
        tracks = {track.id: track for track in corpus.tracks}
        track = tracks.get(clip.track)
        if track is None or not track.pairs(task.source, task.target):
            raise NotApplicable(f"track '{clip.track}' has no counterpart by {task.target}")
        samples = corpus.load(clip.track, task.target, rate, clip.seconds).samples
        missing = round(clip.seconds * rate) - len(samples)
        return np.pad(samples, (0, max(missing, 0)))

    def generate(self, instrument: str, count: int, seconds: float, rngs: Rngs) -> Mels:
        """Excerpts of test tracks."""
        spec = _spec_of(self)
        real = [excerpt(corpus_of(self), instrument, seconds, rng, spec.rate) for rng in rngs]
        return as_mels([clip.samples for clip in real], spec)

    def generate_pair(
        self, a: str, b: str, count: int, seconds: float, rngs: Rngs
    ) -> tuple[Mels, Mels]:
        """The same moment of one test track by both: what pairs of real music get."""
        spec, corpus = _spec_of(self), corpus_of(self)
        pairs = [together(corpus, (a, b), seconds, rng, spec.rate) for rng in rngs]
        first, second = (as_mels([pair[i].samples for pair in pairs], spec) for i in (0, 1))
        return first, second


def as_mels(samples: Sequence[np.ndarray], spec: MelSpec) -> Mels:
    """Audio at ``spec.rate`` as its log-mels, nothing lost to a range."""
    values = [log_mel(s, spec).numpy() for s in samples]
    return Mels(values, spec, AS_THEY_ARE, [len(s) for s in samples])


def _noise(rng: np.random.Generator, length: int, level: float) -> np.ndarray:
    """White Gaussian noise [length] float32 of the RMS ``level``."""
    return level * rng.standard_normal(length, dtype=np.float32)


def _other_tracks(corpus: Corpus, id: str, instrument: str) -> list[Track]:
    own = next((t.split for t in corpus.tracks if t.id == id), "test")
    for split in (own, "valid", "test"):
        others = [t for t in corpus.tracks_of(split, instrument) if t.id != id]
        if others and split != "train":
            return others
    return []


def corpus_of(method: Method) -> Corpus:
    assert method.corpus is not None, "setup() comes first"
    return method.corpus


def _spec_of(method: Method) -> MelSpec:
    assert method.mel is not None, "its info names a mel"
    return method.mel
