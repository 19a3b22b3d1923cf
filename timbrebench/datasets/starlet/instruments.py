"""Who plays what. As in StarNet, the clarinet plays what the strings play, and the vibraphone
what the piano plays; every other instrument joins one of the two parts. In a solo, one line is
played by all of them, so that there is a true counterpart for clarinet to piano as well."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Instrument:
    """A General MIDI program (counted from 0) and the keys that a player reaches."""

    program: int
    low: int
    high: int


INSTRUMENTS = {
    "clarinet": Instrument(71, 50, 91),
    "vibraphone": Instrument(11, 53, 89),
    "strings": Instrument(48, 40, 91),
    "piano": Instrument(0, 28, 100),
    "violin": Instrument(40, 55, 93),
    "acoustic_guitar": Instrument(24, 40, 84),
    "harp": Instrument(46, 36, 96),
    "flute": Instrument(73, 60, 93),
}
MELODY, ACCOMPANIMENT, SOLO = "melody", "accompaniment", "solo"
PARTS = {
    MELODY: ("clarinet", "strings", "violin", "flute"),
    ACCOMPANIMENT: ("vibraphone", "piano", "acoustic_guitar", "harp"),
    SOLO: tuple(INSTRUMENTS),
}
MIXTURES = {
    "clarinet+vibraphone": ("clarinet", "vibraphone"),
    "strings+piano": ("strings", "piano"),
}
MIXED = "+".join((MELODY, ACCOMPANIMENT))  # the part of a mixture


def compass(part: str) -> range:
    """The keys that every instrument of a part can play."""
    players = [INSTRUMENTS[name] for name in PARTS[part]]
    return range(max(p.low for p in players), min(p.high for p in players) + 1)


def folded(key: int, keys: range) -> int:
    """``key``, moved by octaves into a compass of at least one octave."""
    if key < keys.start:
        return key + 12 * -(-(keys.start - key) // 12)
    if key >= keys.stop:
        return key - 12 * -(-(key - keys.stop + 1) // 12)
    return key
