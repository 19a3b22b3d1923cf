"""Known faults, made from real clips: what a metric must see, or must not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from timbrebench.core import audio
from timbrebench.core.mel import log_mel, preset
from timbrebench.core.records import Clip
from timbrebench.core.registry import create, registry, values_of
from timbrebench.core.seeds import generator

GAIN_DB = -6.0
TILT_DB = -3.0  # an octave, around TILT_HZ
TILT_HZ = 1000.0
SHIFT = 1.0  # semitones
WRONG = 0.05  # share of the notes, or of the time where notes are not known
WRONG_STEPS = (-3, -2, -1, 1, 2, 3)  # semitones that a wrong note may be off
UNKNOWN_NOTE = 0.25  # seconds of a note where none are known
FADE = 0.01  # seconds at each end of a replaced note
NOISE_DB = 20.0  # of the clip over the noise
LATE = 0.04  # seconds
MEL, VOCODER = "soundstream", "griffinlim"

Degrade = Callable[[Clip], np.ndarray]  # a real clip → samples [n]


@dataclass(frozen=True)
class Degradation:
    """One fault."""

    name: str
    what: str  # for a reader
    apply: Degrade

    def __call__(self, clip: Clip) -> Clip:
        return replace(clip, samples=self.apply(clip).astype(np.float32))


def as_it_is(clip: Clip) -> np.ndarray:
    return clip.samples


def gain(clip: Clip) -> np.ndarray:
    return clip.samples * 10 ** (GAIN_DB / 20)


def tilt(clip: Clip) -> np.ndarray:
    """A static equaliser: TILT_DB an octave, from 50 Hz up."""
    spectrum = np.fft.rfft(clip.samples)
    hertz = np.fft.rfftfreq(len(clip.samples), 1 / clip.rate).clip(min=50)
    return np.fft.irfft(
        spectrum * 10 ** (TILT_DB / 20 * np.log2(hertz / TILT_HZ)), len(clip.samples)
    )


def transpose(clip: Clip) -> np.ndarray:
    return _shifted(clip.samples, clip.rate, SHIFT)


def wrong_notes(clip: Clip) -> np.ndarray:
    """WRONG of the notes, drawn, at another pitch; all that sounds meanwhile goes along."""
    rng = generator("wrong notes", clip.track, clip.instrument)
    spans = _spans(clip)
    count = max(1, round(WRONG * len(spans)))
    samples = clip.samples.copy()
    for begin, end in (spans[i] for i in sorted(rng.permutation(len(spans))[:count])):
        part = clip.samples[begin:end]
        wrong = _shifted(part, clip.rate, float(rng.choice(WRONG_STEPS)))
        ramp = np.clip(np.arange(len(part)) / (FADE * clip.rate), 0, 1)
        weight = np.minimum(ramp, ramp[::-1])
        samples[begin:end] = weight * wrong + (1 - weight) * part
    return samples


def _spans(clip: Clip) -> list[tuple[int, int]]:
    """Where each note begins and ends, in samples."""
    least, length = int(3 * FADE * clip.rate), len(clip.samples)
    if clip.notes:
        found = [(int(n.onset * clip.rate), int(n.end * clip.rate)) for n in clip.notes]
    else:
        step = int(UNKNOWN_NOTE * clip.rate)
        found = [(begin, begin + step) for begin in range(0, length, step)]
    cut = [(begin, min(end, length)) for begin, end in found]
    return [(begin, end) for begin, end in cut if end - begin > least] or [(0, length)]


def noise(clip: Clip) -> np.ndarray:
    white = generator("noise", clip.track, clip.instrument).standard_normal(len(clip.samples))
    return clip.samples + audio.rms(clip.samples) * 10 ** (-NOISE_DB / 20) * white


def late(clip: Clip) -> np.ndarray:
    shift = round(LATE * clip.rate)
    return np.pad(clip.samples, (shift, 0))[: len(clip.samples)]


def vocoded(clip: Clip) -> np.ndarray:
    spec = preset(MEL)
    at_rate = audio.resample(clip.samples, clip.rate, spec.rate)
    entry = registry().find("vocoder", VOCODER)
    vocoder = create(entry, values_of(entry, {}))
    made = vocoder.synthesise(log_mel(at_rate, spec).numpy(), spec, len(at_rate))
    return audio.resample(made, spec.rate, clip.rate)[: len(clip.samples)]


def _shifted(samples: np.ndarray, rate: int, semitones: float) -> np.ndarray:
    import librosa

    n_fft = min(2048, 2 ** int(np.log2(max(len(samples), 64))))
    return librosa.effects.pitch_shift(
        np.asarray(samples, np.float32), sr=rate, n_steps=semitones, n_fft=n_fft
    )


DEGRADATIONS: Mapping[str, Degradation] = {
    d.name: d
    for d in (
        Degradation("none", "the real clip itself", as_it_is),
        Degradation("gain", f"{GAIN_DB:g} dB", gain),
        Degradation("eq", f"a tilt of {TILT_DB:g} dB an octave", tilt),
        Degradation("pitch", f"{SHIFT:g} semitone up", transpose),
        Degradation("wrong-notes", f"{WRONG:.0%} of the notes at a wrong pitch", wrong_notes),
        Degradation("late", f"{1000 * LATE:g} ms late", late),
        Degradation("noise", f"white noise {NOISE_DB:g} dB below", noise),
        Degradation("vocoder", f"through the mel '{MEL}' and {VOCODER}", vocoded),
    )
}
