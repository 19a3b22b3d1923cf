"""SoundFonts written by the specification, for tests: whole ones, and ones with a fault."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

LOOPED, SAMPLE, INSTRUMENT = 54, 53, 41  # generators
PLAIN = {LOOPED: 1, SAMPLE: 0}  # a zone that repeats the one sample there is
LENGTH = 44100 // 20  # of the sample: 22 periods of 440 Hz

Zones = Sequence[dict[int, int]]


def chunk(name: str, content: bytes) -> bytes:
    return name.encode() + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def table(name: str, form: str, rows: Sequence[tuple[Any, ...]]) -> bytes:
    return chunk(name, b"".join(struct.pack("<" + form, *row) for row in rows))


def zone_tables(prefix: str, zones: Zones) -> bytes:
    """The bag, modulator and generator tables of one preset's or instrument's zones."""
    bags, gens = [], []
    for zone in zones:
        bags.append((len(gens), 0))
        gens += [(oper, amount & 0xFFFF) for oper, amount in zone.items()]
    bags.append((len(gens), 0))
    return (
        table(prefix + "bag", "HH", bags)
        + table(prefix + "mod", "HHHHH", [(0, 0, 0, 0, 0)])
        + table(prefix + "gen", "HH", [*gens, (0, 0)])
    )


def soundfont_bytes(
    preset_zones: Zones = ({INSTRUMENT: 0},),
    instrument_zones: Zones = (PLAIN,),
    *,
    pitch: int = 69,
    correction: int = 0,
    kind: int = 1,
    at: tuple[int, int] = (0, LENGTH),
    loop: tuple[int, int] = (0, LENGTH),
    rate: int = 44100,
    gain: int = 16000,
    presets: Sequence[tuple[int, int]] = ((0, 0),),
) -> bytes:
    """Programs (number, first zone), with one sample: a 440 Hz sine at 44.1 kHz that loops."""
    wave = np.round(gain * np.sin(2 * np.pi * 440 * np.arange(LENGTH) / 44100)).astype("<i2")
    shdr = [
        (b"sine", *at, *loop, rate, pitch, correction, 0, kind),
        (b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0),
    ]
    preset = [(b"p", number, 0, bag, 0, 0, 0) for number, bag in presets]
    preset.append((b"EOP", 0, 0, len(preset_zones), 0, 0, 0))
    instrument = [(b"i", 0), (b"EOI", len(instrument_zones))]
    info = chunk("ifil", struct.pack("<HH", 2, 1)) + chunk("INAM", b"test\0\0")
    samples = chunk("smpl", wave.tobytes() + b"\0" * 92)
    tables = (
        table("phdr", "20sHHHIII", preset)
        + zone_tables("p", preset_zones)
        + table("inst", "20sH", instrument)
        + zone_tables("i", instrument_zones)
        + table("shdr", "20sIIIIIBbHH", shdr)
    )
    lists = (("INFO", info), ("sdta", samples), ("pdta", tables))
    content = b"sfbk" + b"".join(chunk("LIST", n.encode() + c) for n, c in lists)
    return chunk("RIFF", content)
