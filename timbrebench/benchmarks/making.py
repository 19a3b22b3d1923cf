"""A method's answers as audio: vocoded, at one rate, at the level of what they answer to."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from timbrebench.benchmarks.session import Session
from timbrebench.core import audio, seeds
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Vocoder
from timbrebench.core.mel import denormalise
from timbrebench.core.records import Clip, Mels, Task, Track
from timbrebench.core.registry import create, registry
from timbrebench.core.signs import alive

RATE = 16000  # Hz: everything is scored at one rate
STYLE_CLIPS, STYLE_SECONDS = 8, 10.0

Times = dict[str, Any]  # infer_seconds and vocoder_seconds, which are added to


class Maker:
    """Asks the method of a session for one item at a time."""

    def __init__(self, session: Session) -> None:
        self.session, self.corpus, self.method = session, session.corpus, session.method
        self.vocoder = vocoder_of(session)

    def transfer(self, task: Task, track: Track, seconds: float | None, times: Times) -> Clip:
        """The track's source, cut to ``seconds``, as the target would play it."""
        method = self.method
        source = self._load(track, task.source, seconds, self._rate)
        styles = self._styles(task, track.id)
        rng = self._rng(task, track)
        started = time.monotonic()
        given = method.transfer([source], task, [styles], [rng])
        times["infer_seconds"] += time.monotonic() - started
        return self._clip(given, source, task.target, times)

    def generate(self, task: Task, track: Track, seconds: float | None, times: Times) -> Clip:
        """A new clip, as long and as loud as the instrument's on the track."""
        level = self._load(track, task.a, seconds)
        rng = self._rng(task, track)
        started = time.monotonic()
        given = self.method.generate(task.a, 1, level.seconds, [rng])
        times["infer_seconds"] += time.monotonic() - started
        return self._clip(given, level, task.a, times)

    def pair(
        self, task: Task, track: Track, seconds: float | None, times: Times
    ) -> tuple[Clip, Clip]:
        """Two related clips, each as loud as its instrument's on the track."""
        level = self._load(track, task.a, seconds)
        other = self._load(track, task.b, seconds) if task.b in track.stems else level
        rng = self._rng(task, track)
        started = time.monotonic()
        given = self.method.generate_pair(task.a, task.b, 1, level.seconds, [rng])
        times["infer_seconds"] += time.monotonic() - started
        if len(given) != 2:
            raise BenchError(f"the method gave {len(given)} halves of a pair.")
        first = self._clip(given[0], level, task.a, times)
        return first, self._clip(given[1], other, task.b, times)

    # ------------------------------------------------------------------ what comes out

    def _clip(self, given: Any, level: Clip, instrument: str, times: Times) -> Clip:
        """What the method gave for one item, at RATE and the level of another clip."""
        clip = as_clip(given, self.vocoder, times)
        samples = audio.resample(clip.samples, clip.rate, RATE)
        samples = audio.match_rms(samples, audio.rms(level.samples))
        return Clip(samples, RATE, instrument, level.track)

    # ------------------------------------------------------------------ what goes in

    @property
    def _rate(self) -> int:
        return self.method.mel.rate if self.method.mel else RATE

    def _rng(self, task: Task, track: Track) -> np.random.Generator:
        cell = self.session.cell
        return seeds.generator(self.session.seed, cell["references"], task.name, track.id)

    def _load(self, track: Track, instrument: str, seconds: float | None, rate: int = RATE) -> Clip:
        alive()
        return self.corpus.load(track.id, instrument, rate, seconds)

    def _styles(self, task: Task, track: str) -> list[Clip]:
        """Clips of the target from other, training tracks, drawn for the item."""
        found = [t.id for t in self.corpus.tracks_of("train", task.target) if t.id != track]
        rng = seeds.generator("styles", self.session.seed, task.target, track)
        drawn = rng.permutation(sorted(found))[:STYLE_CLIPS]
        return [self.corpus.load(str(t), task.target, self._rate, STYLE_SECONDS) for t in drawn]


def vocoder_of(session: Session) -> Vocoder | None:
    """The vocoder of the session's cell; None where its method makes audio."""
    chosen = session.cell["vocoder"]
    if not chosen["name"]:
        return None
    return create(registry().find("vocoder", chosen["name"]), chosen["values"])


def as_clip(given: Mels | list[Clip], vocoder: Vocoder | None, times: Times) -> Clip:
    """What a method gave for one item, as audio; BenchError where it gave none."""
    if not isinstance(given, Mels):
        return _checked(_only(given))
    assert vocoder is not None, "who gives mels names one"
    log_mel = denormalise(np.asarray(_only(given.values)), given.state)
    started = time.monotonic()
    samples = vocoder.synthesise(np.asarray(log_mel), given.spec, _only(given.lengths))
    times["vocoder_seconds"] += time.monotonic() - started
    return _checked(Clip(samples, given.spec.rate))


def _checked(clip: Clip) -> Clip:
    shape = np.shape(clip.samples)
    if len(shape) != 1 or not shape[0]:
        raise BenchError(f"the estimate has samples of shape {list(shape)}, not [n].")
    if not np.isfinite(clip.samples).all():
        raise BenchError("the estimate has samples that are no numbers.")
    return clip


def _only(given: Sequence[Any]) -> Any:
    if len(given) != 1:
        raise BenchError(f"the method gave {len(given)} results for one clip.")
    return given[0]
