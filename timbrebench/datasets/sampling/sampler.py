"""Plays notes on a SoundFont's zones: wavetable with loop, envelopes, oscillators, filter.

A *tone* is a zone at one pitch, held for ever: it is made once and kept. A *note* is a tone cut
at its end, released, and brought to its velocity. Notation: n samples at the output rate.
"""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import signal

from timbrebench.datasets.sampling.score import Note
from timbrebench.datasets.sampling.soundfont import Envelope, Lfo, SoundFont, Zone
from timbrebench.datasets.sampling.tuning import detune_cents

FLOOR_DB = -80.0  # a released note ends here
_TAPS = 16  # of the interpolation filter on either side, in periods of its cutoff
_OVERSAMPLING = 8  # of a wavetable, before cubic interpolation
_PASSBAND = 0.94  # of the lower of the two Nyquist frequencies
_FILTER_STEP = 15.0  # cents: finer changes of the filter's cutoff are not followed
_MIN_ATTACK = 0.001  # seconds
_MOST_STEP = 256.0  # source samples an output sample: eight octaves up nothing is left to be heard


@dataclass(frozen=True)
class Sampler:
    """A SoundFont at an output rate in Hz."""

    font: SoundFont
    rate: int

    def play(self, program: int, notes: Iterable[Note], length: int) -> np.ndarray:
        """The notes as audio, [length] float32, at the SoundFont's own level."""
        out = np.zeros(length, np.float32)
        zones = self.font.zones(program)
        for note in notes:
            start = round(note.start * self.rate)
            held = round(note.duration * self.rate)
            for zone in zones:
                if note.key in zone.keys and note.velocity in zone.velocities:
                    _add(out, self._note(zone, note.key, held), start, _gain(note.velocity))
        return out

    def _note(self, zone: Zone, key: int, held: int) -> np.ndarray:
        """A tone held for ``held`` samples, then released, [held + tail]."""
        tail = round(max(zone.release, 0.02) * FLOOR_DB / -100 * self.rate)
        # Whole powers of two seconds, so that few lengths are made; a longer one begins alike.
        seconds = 2 ** max(0, math.ceil(math.log2((held + tail) / self.rate)))
        note = tone(zone, key, self.rate, seconds)[: held + tail].copy()
        note[held:] *= 10 ** (FLOOR_DB / 20 * np.arange(tail, dtype=np.float32) / tail)
        return note


def _gain(velocity: int) -> float:
    """SoundFont's default: 40 dB concave, which is the square of the velocity."""
    return (velocity / 127) ** 2


def _add(out: np.ndarray, note: np.ndarray, start: int, gain: float) -> None:
    stop = min(len(out), start + len(note))
    if start < stop:
        out[start:stop] += gain * note[: stop - start]


@functools.lru_cache(maxsize=768)
def tone(zone: Zone, key: int, rate: int, seconds: int) -> np.ndarray:
    """A zone in tune at the pitch of ``key``, never released, [seconds · rate] float32."""
    return _as_recorded(zone, zone.cents(key) - _detune(zone, rate), rate, seconds)


@functools.lru_cache(maxsize=1024)
def _detune(zone: Zone, rate: int) -> float:
    """In cents, heard at the key in the middle of what the zone shares with a piano."""
    keys = [k for k in zone.keys if 36 <= k <= 96]
    if not keys:
        return 0.0
    key = keys[len(keys) // 2]
    wave = _as_recorded(zone, zone.cents(key), rate, seconds=2)
    return detune_cents(wave[rate // 10 :], rate, 440 * 2 ** ((key - 69) / 12))


def _as_recorded(zone: Zone, cents: float, rate: int, seconds: int) -> np.ndarray:
    """The zone, ``cents`` away from its recorded pitch."""
    time = np.arange(seconds * rate) / rate
    step = zone.rate / rate * 2 ** (cents / 1200)  # source samples an output sample
    if step > _MOST_STEP:
        return np.zeros(len(time), np.float32)
    steps = step * 2 ** (_bend_cents(zone, time) / 1200)
    wave = _interpolated(*_wavetable(zone, step), np.cumsum(steps) - steps[0])
    wave = _filtered(wave, zone, time, rate)
    level_db = -zone.attenuation_db + zone.tremolo_db * _triangle(zone.modulation, time)
    return (wave * _volume(zone.volume, time) * 10 ** (level_db / 20)).astype(np.float32)


# ------------------------------------------------------------------------ wavetable


def _wavetable(zone: Zone, step: float) -> tuple[np.ndarray, tuple[int, int] | None]:
    """The sample, low-passed for its pitch and oversampled; and its loop, in source samples.

    The loop is unrolled until a whole turn of it is free of what stood before it.
    """
    side = math.ceil(_TAPS * max(1.0, step))  # source samples
    samples, loop = zone.samples, None
    if zone.loop:
        first, last = zone.loop
        turn = last - first
        start = first + math.ceil(side / turn) * turn
        needed = start + turn + side + 2
        turns = math.ceil((needed - first) / turn)
        samples = np.concatenate([samples[:first], np.tile(samples[first:last], turns)])
        loop = (start, start + turn)
    cutoff = _PASSBAND * min(1.0, 1 / step) / _OVERSAMPLING  # of the table's Nyquist frequency
    kernel = signal.firwin(2 * side * _OVERSAMPLING + 1, cutoff, window=("kaiser", 8.0))
    table = signal.upfirdn(kernel * _OVERSAMPLING, samples, up=_OVERSAMPLING)
    return table[side * _OVERSAMPLING :], loop


def _interpolated(
    table: np.ndarray, loop: tuple[int, int] | None, position: np.ndarray
) -> np.ndarray:
    """The table at positions in source samples, by Catmull-Rom cubics."""
    if loop:
        start, stop = loop
        inside = start + np.mod(position - start, stop - start)
        position = np.where(position < stop, position, inside)
    place = np.clip(position * _OVERSAMPLING, 1, len(table) - 3)
    whole = place.astype(np.int64)
    x = place - whole
    a, b, c, d = (table[whole + i] for i in (-1, 0, 1, 2))
    return b + 0.5 * x * (c - a + x * (2 * a - 5 * b + 4 * c - d + x * (3 * (b - c) + d - a)))


# ------------------------------------------------------------------------ modulation


def _triangle(lfo: Lfo, time: np.ndarray) -> np.ndarray:
    """-1..1, rising from 0 when its delay is over."""
    phase = np.maximum(time - lfo.delay, 0) * lfo.hz
    return 1 - 4 * np.abs(np.mod(phase + 0.25, 1) - 0.5)


def _bend_cents(zone: Zone, time: np.ndarray) -> np.ndarray:
    """What both oscillators do to the pitch."""
    vibrato = zone.vibrato_cents * _triangle(zone.vibrato, time)
    return vibrato + zone.modulation_cents * _triangle(zone.modulation, time)


def _fall(envelope: Envelope, time: np.ndarray) -> np.ndarray:
    """0 until the decay begins, then straight down to minus the sustain share."""
    begins = envelope.delay + max(envelope.attack, _MIN_ATTACK) + envelope.hold
    fallen = (time - begins) / max(envelope.decay, _MIN_ATTACK)
    return -np.clip(fallen, 0, envelope.sustain)


def _rise(envelope: Envelope, time: np.ndarray) -> np.ndarray:
    return np.clip((time - envelope.delay) / max(envelope.attack, _MIN_ATTACK), 0, 1)


def _volume(envelope: Envelope, time: np.ndarray) -> np.ndarray:
    """Amplitude: a straight rise, then straight down in decibels."""
    return _rise(envelope, time) * 10 ** (100 / 20 * _fall(envelope, time))


# ------------------------------------------------------------------------ filter


def _filtered(wave: np.ndarray, zone: Zone, time: np.ndarray, rate: int) -> np.ndarray:
    """The zone's resonant low-pass, whose cutoff follows the filter envelope."""
    envelope = _rise(zone.filter, time) + _fall(zone.filter, time)
    cents = zone.cutoff + zone.filter_cents * envelope
    open_at = 1200 * math.log2(0.45 * rate / 8.176)
    if cents.min() >= open_at:
        return wave
    cents = np.minimum(_FILTER_STEP * np.round(cents / _FILTER_STEP), open_at)
    edges = np.flatnonzero(np.diff(cents)) + 1
    state = np.zeros(2)
    parts = []
    for begin, end in zip([0, *edges], [*edges, len(wave)], strict=True):
        b, a = _low_pass(8.176 * 2 ** (cents[begin] / 1200) / rate, zone.resonance_db)
        part, state = signal.lfilter(b, a, wave[begin:end], zi=state)
        parts.append(part)
    return np.concatenate(parts)


def _low_pass(cutoff: float, resonance_db: float) -> tuple[np.ndarray, np.ndarray]:
    """A two-pole low-pass (bilinear transform), ``cutoff`` in cycles a sample."""
    quality = 10 ** (resonance_db / 20) / math.sqrt(2)
    w = math.tan(math.pi * cutoff)
    scale = 1 / (1 + w / quality + w * w)
    b = w * w * scale * np.array([1.0, 2.0, 1.0])
    return b, np.array([1.0, 2 * (w * w - 1) * scale, (1 - w / quality + w * w) * scale])
