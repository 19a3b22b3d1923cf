"""Accompaniment figures: what a chord does within a bar.

A figure is a list of (onset, length, voices) in eighth notes, where voice 0 is the bass and 1 to
3 are the chord; a length of 0 lasts until the bar ends, like a note under the pedal.
"""

from collections.abc import Callable, Sequence

from timbrebench.datasets.starlet.writing import Event

Figure = list[tuple[int, int, tuple[int, ...]]]
_CHORD = (1, 2, 3)


def _rocking(units: int) -> Figure:
    """Two low tones under the pedal, the two upper ones in turn."""
    return [(0, 0, (0, 1)), *((i, 1, ((3, 2)[i % 2],)) for i in range(units))]


def _murmuring(units: int) -> Figure:
    """Alberti's figure over a bass that is held."""
    return [(0, 0, (0,)), *_alberti(units)]


def _cadence(units: int) -> Figure:
    """Up the chord in half a bar, and all of it for the other half."""
    half = units // 2
    return [*((i, 0, (i % 4,)) for i in range(half)), (half, 0, (0, *_CHORD))]


def _halves(units: int) -> Figure:
    half = units // 2
    return [(0, half, (0, *_CHORD)), (half, units - half, _CHORD)]


def _arpeggio(units: int) -> Figure:
    wave = (0, 1, 2, 3, 2, 1)
    return [(i, 0, (wave[i % len(wave)],)) for i in range(units)]


def _rising(units: int) -> Figure:
    return [(i, 0, (i % 4,)) for i in range(units)]


def _alberti(units: int) -> Figure:
    return [(i, 1, ((1, 3, 2, 3)[i % 4],)) for i in range(units)]


def _waltz(units: int) -> Figure:
    return [(0, 0, (0,)), *((i, 2, _CHORD) for i in range(2, units, 2))]


def _syncopated(units: int) -> Figure:
    onsets = range(1, units, 2) if units == 6 else (1, 3, 6)
    return [(0, 1, (0,)), *((i, 2 if i + 2 <= units else 1, _CHORD) for i in onsets)]


def _pulse(units: int) -> Figure:
    return [(i, 2, (0, *_CHORD) if i == 0 else _CHORD) for i in range(0, units, 2)]


FIGURES: dict[str, Callable[[int], Figure]] = {
    "rocking": _rocking,
    "murmuring": _murmuring,
    "cadence": _cadence,
    "halves": _halves,
    "arpeggio": _arpeggio,
    "rising": _rising,
    "alberti": _alberti,
    "waltz": _waltz,
    "syncopated": _syncopated,
    "pulse": _pulse,
}
FITTING = {
    "4/4": ("rocking", "murmuring", "arpeggio", "rising", "alberti", "syncopated", "pulse"),
    "3/4": ("rocking", "murmuring", "arpeggio", "pulse", "waltz"),
    "6/8": ("rocking", "halves", "arpeggio", "waltz", "rising"),
}


def accompany(figure: str, voices: Sequence[int], units: int, bar: int) -> list[Event]:
    """A figure on a voicing (bass and three tones), in bar number ``bar``."""
    events = []
    for onset, length, which in FIGURES[figure](units):
        accent = 6 if onset == 0 else 0
        for voice in which:
            events.append(
                Event(bar * units + onset, length or units - onset, voices[voice], accent)
            )
    return events


def broken(figure: str, voices: Sequence[int], units: int, bar: int) -> list[Event]:
    """The figure as a single line: one note at a time, each until the next."""
    wave = {"arpeggio": (0, 1, 2, 3, 2, 1), "alberti": (1, 3, 2, 3), "rising": (0, 1, 2, 3)}
    order = wave.get(figure, (0, 2, 1, 3))
    return [
        Event(bar * units + i, 1, voices[order[i % len(order)]], 6 if i == 0 else 0)
        for i in range(units)
    ]
