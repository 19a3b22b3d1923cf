"""SoundFont 2 files: from the file's tables to zones in physical units.

Its tables are read elsewhere (tables.py); they are merged by the SoundFont 2.04 specification
(section 9.4): an instrument's global zone gives defaults to its zones, a preset's generators are
added to them. What a mono sampler at a fixed pitch bend does not need (pan, sends, modulators) is
left.
"""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sf2utils.generator import Sf2Gen as Gen

from timbrebench.core.errors import BenchError
from timbrebench.datasets.sampling.tables import Generators, Tables

NEUTRAL_ATTENUATION = 0.4  # of the written one: what EMU's chips, hence SoundFonts, mean by it
_NEVER = -12000  # timecents: the specification's "no time at all"
_DEFAULTS = {
    Gen.OPER_INITIAL_FILTER_CUTOFF: 13500,
    Gen.OPER_SCALE_TUNING: 100,
    Gen.OPER_OVERRIDING_ROOT_KEY: -1,
    **dict.fromkeys((Gen.OPER_DELAY_MOD_LFO, Gen.OPER_DELAY_VIB_LFO), _NEVER),
    **dict.fromkeys(range(Gen.OPER_DELAY_MOD_ENV, Gen.OPER_DECAY_MOD_ENV + 1), _NEVER),
    **dict.fromkeys(range(Gen.OPER_DELAY_VOL_ENV, Gen.OPER_DECAY_VOL_ENV + 1), _NEVER),
    Gen.OPER_RELEASE_VOL_ENV: _NEVER,
}
_NOT_ADDED = {  # by a preset: ranges intersect, the rest belongs to instruments only
    Gen.OPER_INSTRUMENT,
    Gen.OPER_KEY_RANGE,
    Gen.OPER_VEL_RANGE,
    Gen.OPER_SAMPLE_ID,
    Gen.OPER_SAMPLE_MODES,
    Gen.OPER_OVERRIDING_ROOT_KEY,
}
_ROM, _COMPRESSED = 0x8000, 0x10  # bits of a sample's type


_MOST_ZONES = 4096  # of a program
_LEAST_RATE, _MOST_RATE = 400, 192_000  # Hz
# What an amount is brought into, by the specification (section 8.1.3): damaged ones would make
# sounds of days, or numbers that are none.
_TIME, _LONG_TIME = (_NEVER, 5000), (_NEVER, 8000)  # timecents
_RANGES = {
    **dict.fromkeys((Gen.OPER_MOD_LFO_TO_PITCH, Gen.OPER_VIB_LFO_TO_PITCH), (-12000, 12000)),
    Gen.OPER_MOD_ENV_TO_FILTER_CUTOFF: (-12000, 12000),
    Gen.OPER_INITIAL_FILTER_CUTOFF: (1500, 13500),
    Gen.OPER_INITIAL_FILTER_Q: (0, 960),
    Gen.OPER_MOD_LFO_TO_VOLUME: (-960, 960),
    **dict.fromkeys((Gen.OPER_DELAY_MOD_LFO, Gen.OPER_DELAY_VIB_LFO), _TIME),
    **dict.fromkeys((Gen.OPER_FREQ_MOD_LFO, Gen.OPER_FREQ_VIB_LFO), (-16000, 4500)),
    **dict.fromkeys((Gen.OPER_DELAY_MOD_ENV, Gen.OPER_HOLD_MOD_ENV), _TIME),
    **dict.fromkeys((Gen.OPER_DELAY_VOL_ENV, Gen.OPER_HOLD_VOL_ENV), _TIME),
    **dict.fromkeys((Gen.OPER_ATTACK_MOD_ENV, Gen.OPER_DECAY_MOD_ENV), _LONG_TIME),
    **dict.fromkeys((Gen.OPER_ATTACK_VOL_ENV, Gen.OPER_DECAY_VOL_ENV), _LONG_TIME),
    Gen.OPER_RELEASE_VOL_ENV: _LONG_TIME,
    Gen.OPER_INITIAL_ATTENUATION: (0, 1440),
    Gen.OPER_COARSE_TUNE: (-120, 120),
    Gen.OPER_FINE_TUNE: (-99, 99),
    Gen.OPER_SCALE_TUNING: (0, 1200),
    Gen.OPER_OVERRIDING_ROOT_KEY: (-1, 127),
}


@dataclass(frozen=True)
class Envelope:
    """Times in seconds. ``sustain`` is the share of the way down, ``decay`` the whole way's."""

    delay: float
    attack: float
    hold: float
    decay: float
    sustain: float  # 0 (stays up) .. 1 (goes all the way down)


@dataclass(frozen=True)
class Lfo:
    """A triangular oscillator."""

    delay: float  # seconds
    hz: float


@dataclass(frozen=True, eq=False)
class Zone:
    """A sample, and how it is played over a range of keys and velocities."""

    keys: range
    velocities: range
    samples: np.ndarray  # [n] float32
    rate: int  # Hz
    loop: tuple[int, int] | None  # [first, one past the last)
    root: int  # MIDI key at which the sample sounds as recorded
    tuning: float  # cents
    scale: float  # cents a key
    attenuation_db: float
    volume: Envelope  # its way down is 100 dB
    release: float  # seconds for 100 dB
    cutoff: float  # of the low-pass filter, in cents above 8.176 Hz
    resonance_db: float
    filter: Envelope
    filter_cents: float  # what the filter envelope adds to the cutoff at its top
    modulation: Lfo
    tremolo_db: float  # of the modulation oscillator
    vibrato: Lfo
    modulation_cents: float  # pitch depth of the modulation oscillator
    vibrato_cents: float

    def cents(self, key: int) -> float:
        """From the recorded pitch to that of ``key``."""
        return (key - self.root) * self.scale + self.tuning


class SoundFont:
    """The zones of a SoundFont's General MIDI programs (bank 0)."""

    def __init__(self, path: Path) -> None:
        self.path, self._tables = path, Tables(path)
        headers = enumerate(self._tables.rows["Phdr"][:-1])  # the last one only ends the list
        self._presets = {header.preset: index for index, header in headers if header.bank == 0}
        self._known: dict[int, tuple[Zone, ...]] = {}

    def zones(self, program: int) -> tuple[Zone, ...]:
        """All zones of a program, the same ones each time."""
        if program not in self._presets:
            raise BenchError(
                f"{self.path}: the SoundFont has no program {program} in bank 0.",
                hint="Give a General MIDI SoundFont.",
            )
        if program not in self._known:
            self._known[program] = tuple(self._zones_of(self._presets[program]))
        return self._known[program]

    def hears(self, program: int, strikes: Iterable[tuple[int, int]]) -> bool:
        """Whether a program has a sound for any of the strikes (key, velocity)."""
        zones = [zone for zone in self.zones(program) if zone.samples.any()]
        return any(
            key in zone.keys and velocity in zone.velocities
            for key, velocity in set(strikes)
            for zone in zones
        )

    def _zones_of(self, preset: int) -> Iterator[Zone]:
        of_instrument = functools.cache(
            lambda index: self._tables.merged("Inst", "Ibag", "Igen", index, Gen.OPER_SAMPLE_ID)
        )
        count = 0
        for outer in self._tables.merged("Phdr", "Pbag", "Pgen", preset, Gen.OPER_INSTRUMENT):
            for inner in of_instrument(outer[Gen.OPER_INSTRUMENT]):
                count += 1
                if count > _MOST_ZONES:
                    raise self._tables.fault(f"a program has more than {_MOST_ZONES} zones")
                yield self._zone(inner, outer)

    def _zone(self, inner: Generators, outer: Generators) -> Zone:
        values = _DEFAULTS | {k: _signed(v) for k, v in inner.items()}
        for key, amount in outer.items():
            if key not in _NOT_ADDED:
                values[key] = values.get(key, 0) + _signed(amount)
        for key, (low, high) in _RANGES.items():
            if key in values:
                values[key] = min(max(values[key], low), high)
        header = self._tables.row("Shdr", inner[Gen.OPER_SAMPLE_ID])
        samples, loop = self._recording(header, values)
        get = values.get
        return Zone(
            keys=_range(inner, outer, Gen.OPER_KEY_RANGE),
            velocities=_range(inner, outer, Gen.OPER_VEL_RANGE),
            samples=samples,
            rate=header.sample_rate,
            loop=loop,
            root=_root(header, values),
            tuning=get(Gen.OPER_COARSE_TUNE, 0) * 100.0
            + get(Gen.OPER_FINE_TUNE, 0)
            + header.pitch_correction,
            scale=float(values[Gen.OPER_SCALE_TUNING]),
            attenuation_db=NEUTRAL_ATTENUATION * get(Gen.OPER_INITIAL_ATTENUATION, 0) / 10,
            volume=_envelope(values, Gen.OPER_DELAY_VOL_ENV),
            release=_seconds(values[Gen.OPER_RELEASE_VOL_ENV]),
            cutoff=float(values[Gen.OPER_INITIAL_FILTER_CUTOFF]),
            resonance_db=get(Gen.OPER_INITIAL_FILTER_Q, 0) / 10,
            filter=_envelope(values, Gen.OPER_DELAY_MOD_ENV),
            filter_cents=float(get(Gen.OPER_MOD_ENV_TO_FILTER_CUTOFF, 0)),
            modulation=_lfo(values, Gen.OPER_DELAY_MOD_LFO),
            tremolo_db=get(Gen.OPER_MOD_LFO_TO_VOLUME, 0) / 10,
            vibrato=_lfo(values, Gen.OPER_DELAY_VIB_LFO),
            modulation_cents=float(get(Gen.OPER_MOD_LFO_TO_PITCH, 0)),
            vibrato_cents=float(get(Gen.OPER_VIB_LFO_TO_PITCH, 0)),
        )

    def _recording(
        self, header: Any, values: Generators
    ) -> tuple[np.ndarray, tuple[int, int] | None]:
        """The samples, and the loop in them where the zone plays one. A loop of no length is none,
        as other samplers have it."""
        if header.sample_type & (_ROM | _COMPRESSED):
            raise BenchError(f"{self.path}: samples in ROM or compressed (SF3) cannot be played.")
        start, end = header.start + _offset(values, 0, 4), header.end + _offset(values, 1, 12)
        first = header.start_loop + _offset(values, 2, 45) - start
        last = header.end_loop + _offset(values, 3, 50) - start
        looped = values.get(Gen.OPER_SAMPLE_MODES, 0) & 1 and first != last
        wave = self._tables.wave
        wrong = ""
        if not 0 <= start < end <= len(wave):
            wrong = f"goes from {start} to {end} of {len(wave)}"
        elif looped and not 0 <= first < last <= end - start:
            wrong = f"of {end - start} repeats {first} to {last}"
        elif not _LEAST_RATE <= header.sample_rate <= _MOST_RATE:
            wrong = f"has {header.sample_rate} Hz, not {_LEAST_RATE} to {_MOST_RATE}"
        if wrong:
            name = header.sample_name.partition(b"\0")[0].decode("latin-1")
            raise self._tables.fault(f"its sample '{name}' {wrong}")
        return wave[start:end], (first, last) if looped else None


def _signed(amount: int) -> int:
    return amount - 65536 if amount >= 32768 else amount


def _offset(values: Generators, fine: int, coarse: int) -> int:
    return values.get(fine, 0) + 32768 * values.get(coarse, 0)


def _root(header: Any, values: Generators) -> int:
    """The zone's own root key, else the sample's; unpitched ones say 255."""
    own, recorded = values[Gen.OPER_OVERRIDING_ROOT_KEY], header.original_pitch
    if own >= 0:
        return own
    return recorded if recorded <= 127 else 60


def _range(inner: Generators, outer: Generators, which: int) -> range:
    """Where both ranges allow it; each is packed as low byte, high byte."""
    low, high = 0, 127
    for generators in (inner, outer):
        amount = generators.get(which, 127 << 8)
        low, high = max(low, amount & 255), min(high, amount >> 8)
    return range(low, high + 1)


def _seconds(timecents: int) -> float:
    return 0.0 if timecents <= _NEVER else 2.0 ** (timecents / 1200)


def _envelope(values: Generators, delay: int) -> Envelope:
    """The five generators from ``delay`` on: delay, attack, hold, decay, sustain."""
    before, attack, hold, decay = (_seconds(values[delay + i]) for i in range(4))
    sustain = min(max(values.get(delay + 4, 0) / 1000, 0.0), 1.0)
    return Envelope(before, attack, hold, decay, sustain)


def _lfo(values: Generators, delay: int) -> Lfo:
    return Lfo(_seconds(values[delay]), 8.176 * 2.0 ** (values.get(delay + 1, 0) / 1200))
