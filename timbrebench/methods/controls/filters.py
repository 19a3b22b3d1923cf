"""Controls with a static filter, fitted to training tracks: eq and affine.

They change the mean colour of a sound and nothing in time: what they reach was never transfer
of envelopes. No pairs are needed: the statistics of each instrument are taken alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from timbrebench.core.errors import NotApplicable
from timbrebench.core.interfaces import Method
from timbrebench.core.mel import MelSpec, log_mel, silence
from timbrebench.core.records import Clip, Corpus, Mels, Task, Track
from timbrebench.methods.controls.references import AS_THEY_ARE

TAPS = 1023  # of the equaliser; odd, so that its delay is whole and can be taken out
MAX_GAIN_DB = 30.0  # beyond it a filter only lifts the noise floor of the source
LEAST_SECONDS = 10.0  # of a training track that is used at all

Statistics = tuple[np.ndarray, np.ndarray]  # mean and standard deviation of bands, each [M, 1]


class Equaliser(Method):
    """One linear-phase filter a direction: |H|² is the ratio of the two mean power spectra."""

    def __init__(self, options: Any, mel: MelSpec | None = None) -> None:
        super().__init__(options, mel)
        self._filter = cache(self._fit)

    def transfer(
        self,
        clips: Sequence[Clip],
        task: Task,
        styles: Sequence[Sequence[Clip]],
        rngs: Sequence[np.random.Generator],
    ) -> list[Clip]:
        from scipy.signal import oaconvolve

        made = []
        for clip in clips:
            taps = self._filter(task.source, task.target, clip.rate)
            samples = oaconvolve(clip.samples, taps)[TAPS // 2 :][: len(clip.samples)]
            made.append(replace(clip, samples=samples.astype(np.float32), instrument=task.target))
        return made

    def _fit(self, source: str, target: str, rate: int) -> np.ndarray:
        """[TAPS] float32."""
        sides = training_audio(self.corpus, source, target, rate, self.options.seconds)
        before, after = map(mean_power, sides)
        return filter_between(before, after)


class Affine(Method):
    """Each band of the log-mel brought to the target's mean and deviation."""

    def __init__(self, options: Any, mel: MelSpec | None = None) -> None:
        super().__init__(options, mel)
        self._statistics = cache(self._fit)

    def transfer(
        self,
        clips: Sequence[Clip],
        task: Task,
        styles: Sequence[Sequence[Clip]],
        rngs: Sequence[np.random.Generator],
    ) -> Mels:
        spec = self._spec
        (mean, deviation), (new_mean, new_deviation) = self._statistics(task.source, task.target)
        scale = new_deviation / np.maximum(deviation, 1e-3)
        values, lengths = [], []
        for clip in clips:
            source = log_mel(clip.samples, spec).numpy()  # [bands, frames]
            moved = (source - mean) * scale + new_mean
            values.append(np.maximum(moved, silence(spec)).astype(np.float32))
            lengths.append(len(clip.samples))
        return Mels(values, spec, AS_THEY_ARE, lengths)

    @property
    def _spec(self) -> MelSpec:
        assert self.mel is not None, "its info names a mel"
        return self.mel

    def _fit(self, source: str, target: str) -> list[Statistics]:
        sides = training_audio(self.corpus, source, target, self._spec.rate, self.options.seconds)
        return [self._of_bands(audio) for audio in sides]

    def _of_bands(self, audio: Iterator[np.ndarray]) -> Statistics:
        frames = np.concatenate([log_mel(s, self._spec).numpy() for s in audio], axis=1)
        return frames.mean(axis=1, keepdims=True), frames.std(axis=1, keepdims=True)


def mean_power(audio: Iterator[np.ndarray]) -> np.ndarray:
    """[TAPS // 2 + 1], over all frames of the audio."""
    from scipy.signal import stft

    total, frames = np.zeros(TAPS // 2 + 1), 0
    for samples in audio:
        spectrum = stft(samples, window="hann", nperseg=TAPS)[2]  # [bins, frames]
        total += (np.abs(spectrum) ** 2).sum(axis=1)
        frames += spectrum.shape[1]
    return total / frames


def filter_between(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Linear-phase taps [TAPS] float32 that turn mean power ``before`` [TAPS // 2 + 1] into
    ``after``.

    The gain is held within ±MAX_GAIN_DB of its value over the whole band, and a Hann window
    over the impulse response smooths it.
    """
    ratio = (after + 1e-12 * after.max()) / (before + 1e-12 * before.max())
    overall = after.sum() / before.sum()
    limit = 10 ** (MAX_GAIN_DB / 10)
    gain = np.sqrt(np.clip(ratio, overall / limit, overall * limit))
    response = np.fft.fftshift(np.fft.irfft(gain, TAPS))
    return (response * np.hanning(TAPS + 2)[1:-1]).astype(np.float32)


def training_audio(
    corpus: Corpus | None, source: str, target: str, rate: int, seconds: float
) -> tuple[Iterator[np.ndarray], Iterator[np.ndarray]]:
    """Training audio [n] of the source and of the target, ``seconds`` of each.

    Tracks on which both play the same are taken where there are any: the music then cancels.
    """
    assert corpus is not None, "setup() comes first"
    pairs = corpus.tracks_of("train", source, target)
    before, after = (
        beginnings(corpus, pairs or corpus.tracks_of("train", end), end, rate, seconds)
        for end in (source, target)
    )
    return before, after


def beginnings(
    corpus: Corpus, tracks: Sequence[Track], instrument: str, rate: int, seconds: float
) -> Iterator[np.ndarray]:
    """The beginning of each track, until there are ``seconds`` in all."""
    if not tracks:
        raise NotApplicable(f"no training track by {instrument} to fit a filter to")
    share = max(seconds / len(tracks), LEAST_SECONDS)
    left = seconds
    for track in tracks:
        if left <= 0:
            return
        samples = corpus.load(track.id, instrument, rate, min(share, left)).samples
        left -= len(samples) / rate
        yield samples
