"""SoundFont 2 files: from the file's tables to zones in physical units.

sf2utils reads the tables; merging them is ours, by the SoundFont 2.04 specification (section
9.4): an instrument's global zone gives defaults to its zones, a preset's generators are added to
them. What a mono sampler at a fixed pitch bend does not need (pan, sends, modulators) is left.
"""

import contextlib
import logging
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sf2utils.generator import Sf2Gen as Gen
from sf2utils.riffparser import RiffParseException
from sf2utils.sf2parse import Sf2File

from timbrebench.core.errors import BenchError, MissingData

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

Generators = dict[int, int]  # operator → amount, as the file has it (unsigned 16 bits)


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
        self.path = path
        try:
            self._read()
        except FileNotFoundError:
            raise MissingData(f"there is no SoundFont {path}.") from None
        except (OSError, struct.error, ValueError, LookupError, TypeError, AttributeError) as error:
            raise _unreadable(path, error) from None
        except RiffParseException as error:
            raise _unreadable(path, error) from None

    def zones(self, program: int) -> tuple[Zone, ...]:
        """All zones of a program."""
        if program not in self._presets:
            raise BenchError(
                f"{self.path}: the SoundFont has no program {program} in bank 0.",
                hint="Give a General MIDI SoundFont.",
            )
        return tuple(self._zones_of(self._presets[program]))

    def _read(self) -> None:
        with self.path.open("rb") as file, _unlogged():
            raw = Sf2File(file).raw
            file.seek(raw.smpl_offset)
            end = max(header.end for header in raw.pdta["Shdr"])
            self._wave = np.frombuffer(file.read(2 * end), "<i2").astype(np.float32) / 32768
        self._tables: dict[str, Sequence[Any]] = raw.pdta
        headers = enumerate(self._tables["Phdr"][:-1])  # the last one only ends the list
        self._presets = {header.preset: index for index, header in headers if header.bank == 0}

    def _zones_of(self, preset: int) -> Iterator[Zone]:
        for outer in self._merged("Phdr", "Pbag", "Pgen", preset, Gen.OPER_INSTRUMENT):
            for inner in self._merged(
                "Inst", "Ibag", "Igen", outer[Gen.OPER_INSTRUMENT], Gen.OPER_SAMPLE_ID
            ):
                yield self._zone(inner, outer)

    def _merged(
        self, owners: str, bags: str, gens: str, index: int, terminal: int
    ) -> list[Generators]:
        """The generators of an owner's zones, with those of its global zone below them."""
        first, last = (self._tables[owners][i].bag for i in (index, index + 1))
        found: list[Generators] = []
        shared: Generators = {}
        for bag in range(first, last):
            start, stop = (self._tables[bags][i].gen for i in (bag, bag + 1))
            own = {g.oper: g.amount for g in self._tables[gens][start:stop]}
            if terminal in own:
                found.append(shared | own)
            elif bag == first:
                shared = own
        return found

    def _zone(self, inner: Generators, outer: Generators) -> Zone:
        values = _DEFAULTS | {k: _signed(v) for k, v in inner.items()}
        for key, amount in outer.items():
            if key not in _NOT_ADDED:
                values[key] = values.get(key, 0) + _signed(amount)
        header = self._tables["Shdr"][inner[Gen.OPER_SAMPLE_ID]]
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
        """The samples, and the loop in them where the zone plays one and it lies within them."""
        if header.sample_type & (_ROM | _COMPRESSED):
            raise BenchError(f"{self.path}: samples in ROM or compressed (SF3) cannot be played.")
        start, end = header.start + _offset(values, 0, 4), header.end + _offset(values, 1, 12)
        first = header.start_loop + _offset(values, 2, 45) - start
        last = header.end_loop + _offset(values, 3, 50) - start
        looped = values.get(Gen.OPER_SAMPLE_MODES, 0) & 1 and 0 <= first < last <= end - start
        return self._wave[start:end], (first, last) if looped else None


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """sf2utils logs on the root logger, which would print and install a handler there."""
    silent, level = logging.NullHandler(), logging.root.manager.disable
    logging.root.addHandler(silent)
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(level)
        logging.root.removeHandler(silent)


def _unreadable(path: Path, error: Exception) -> BenchError:
    return BenchError(f"{path} cannot be read as a SoundFont 2 file ({error}).")


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
