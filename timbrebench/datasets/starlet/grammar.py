"""The grammar of training pieces: phrases of four bars, a motif over changing figures.

A piece has a key, a metre and a tempo. Each phrase takes a chord progression (the last one
closes on the tonic, the others end half-open), a theme by the piece's form (A B A C), and a
manner of playing. A theme is two rhythmic cells and their contours, followed over the chords;
strong beats land on chord tones; a phrase ends on a long note and a rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timbrebench.datasets.sampling.score import Note, Piece
from timbrebench.datasets.starlet.figures import FITTING, accompany, broken
from timbrebench.datasets.starlet.harmony import (
    Chord,
    Scale,
    in_harmony,
    nearest_tone,
    voicing,
)
from timbrebench.datasets.starlet.instruments import ACCOMPANIMENT, MELODY, SOLO, compass
from timbrebench.datasets.starlet.writing import (
    Event,
    Grid,
    Metre,
    draw_manner,
    fitted_grid,
    play,
)

PHRASE = 4  # bars
_OPEN = ((0, 5, 3, 4), (0, 3, 0, 4), (0, 5, 1, 4), (0, 2, 3, 4), (5, 3, 0, 4), (0, 4, 5, 4))
_CLOSED = ((0, 3, 4, 0), (5, 1, 4, 0), (3, 1, 4, 0), (0, 5, 4, 0), (2, 5, 4, 0))
_FORMS = ("AABA", "ABAB", "ABAC", "AABB", "ABCA")
_METRES = (Metre("4/4", 8, 2), Metre("3/4", 6, 2), Metre("6/8", 6, 3))
_METRE_ODDS = (0.5, 0.25, 0.25)
_CELLS = {  # eighths; negative ones are silent
    "4/4": (
        (2, 2, 2, 2),
        (3, 1, 2, 2),
        (4, 2, 2),
        (2, 1, 1, 4),
        (1, 1, 2, 1, 1, 2),
        (4, 4),
        (-2, 2, 2, 2),
        (3, 1, 4),
        (2, 2, 4),
        (1, 1, 1, 1, 4),
        (-1, 1, 2, 2, 2),
        (3, 3, 2),
    ),
    "3/4": (
        (2, 2, 2),
        (4, 2),
        (3, 1, 2),
        (2, 1, 1, 2),
        (1, 1, 1, 1, 2),
        (-2, 2, 2),
        (2, 4),
        (-1, 1, 2, 2),
        (2, 2, 1, 1),
    ),
    "6/8": ((3, 3), (2, 1, 2, 1), (3, 2, 1), (1, 1, 1, 3), (2, 1, 3), (-3, 2, 1), (1,) * 6),
}
_LAST_CELL = {"4/4": (2, 5, -1), "3/4": (2, 3, -1), "6/8": (3, 2, -1)}
_STEPS, _STEP_ODDS = (-3, -2, -1, 0, 1, 2, 3, 4), (0.04, 0.12, 0.29, 0.06, 0.29, 0.12, 0.04, 0.04)


@dataclass(frozen=True)
class Theme:
    """Two bars' rhythms, and the steps on the scale from each note to the next."""

    cells: tuple[tuple[int, ...], ...]
    contours: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Phrase:
    """Some bars of one theme."""

    bar: int  # its first
    chords: tuple[Chord, ...]
    theme: Theme


def compose(
    rng: np.random.Generator, tonic: int, solo: bool, seconds: float, tempo: tuple[float, float]
) -> Piece:
    """A piece for melody and accompaniment, or for one line alone. ``tempo`` in beats a minute."""
    scale = Scale(tonic, str(rng.choice(["major", "minor", "dorian", "mixolydian"])))
    metre = _METRES[rng.choice(len(_METRES), p=_METRE_ODDS)]
    grid = fitted_grid(metre, rng.uniform(*tempo), tempo, seconds)
    phrases = _draw_phrases(rng, scale, grid)
    if solo:
        parts = {SOLO: _solo(rng, scale, grid, phrases)}
    else:
        parts = {
            MELODY: _melody(rng, scale, grid, phrases),
            ACCOMPANIMENT: _accompaniment(rng, grid, phrases),
        }
    facts = {"key": scale.name, "metre": grid.metre, "tempo": grid.tempo}
    return Piece({k: tuple(sorted(v)) for k, v in parts.items()}, seconds, facts)


# ---------------------------------------------------------------------------- form


def _draw_phrases(rng: np.random.Generator, scale: Scale, grid: Grid) -> list[Phrase]:
    bars = grid.bars
    form = str(rng.choice(_FORMS))
    themes = {letter: _draw_theme(rng, grid.metre) for letter in "ABC"}
    phrases = []
    for number, bar in enumerate(range(0, bars, PHRASE)):
        count = min(PHRASE, bars - bar)
        closing = bar + count == bars
        degrees = rng.choice(_CLOSED if closing else _OPEN)[-count:]
        chords = tuple(scale.triad(_modal(scale, int(d))) for d in degrees)
        phrases.append(Phrase(bar, chords, themes[form[number % len(form)]]))
    return phrases


def _modal(scale: Scale, degree: int) -> int:
    """Modes without a leading tone close from the seventh degree, not from the fifth."""
    return 6 if degree == 4 and scale.mode in ("dorian", "mixolydian") else degree


def _draw_theme(rng: np.random.Generator, metre: str) -> Theme:
    which = rng.choice(len(_CELLS[metre]), size=2, replace=False)
    cells = tuple(_CELLS[metre][i] for i in which)
    contours = tuple(
        tuple(int(s) for s in rng.choice(_STEPS, size=len(cell), p=_STEP_ODDS)) for cell in cells
    )
    return Theme(cells, contours)


# ---------------------------------------------------------------------------- parts


def _melody(
    rng: np.random.Generator, scale: Scale, grid: Grid, phrases: Sequence[Phrase]
) -> list[Note]:
    notes: list[Note] = []
    register = int(rng.integers(67, 75))
    for phrase in phrases:
        waits = len(phrase.chords) > 2 and rng.random() < 0.1  # the accompaniment begins alone
        events = _line(phrase, scale, grid, register, compass(MELODY), skip=int(waits))
        notes += play(rng, events, draw_manner(rng), grid, MELODY)
    return notes


def _line(
    phrase: Phrase, scale: Scale, grid: Grid, register: int, keys: range, skip: int = 0
) -> list[Event]:
    """The phrase's theme over its chords, from the register on, kept within ``keys``."""
    events = []
    degree = scale.degree_near(register)
    last = len(phrase.chords) - 1
    for i, chord in enumerate(phrase.chords):
        cell = _LAST_CELL[grid.metre] if i == last else phrase.theme.cells[i % 2]
        contour = phrase.theme.contours[i % 2]
        onset = (phrase.bar + i) * grid.units
        for n, length in enumerate(cell):
            degree = _stepped(scale, degree, contour[n % len(contour)], keys)
            key = scale.key(degree)
            strong = n == 0 or i == last
            key = nearest_tone(key, chord) if strong else in_harmony(key, chord)
            if length > 0 and i >= skip:
                events.append(Event(onset, length, key, 8 if n == 0 else 0))
            onset += abs(length)
    return events


def _stepped(scale: Scale, degree: int, step: int, keys: range) -> int:
    """One step on, or back where it would leave the middle of the compass."""
    low, high = keys.start + 2, min(keys.stop - 3, keys.start + 24)
    return degree + step if low <= scale.key(degree + step) <= high else degree - step


def _accompaniment(rng: np.random.Generator, grid: Grid, phrases: Sequence[Phrase]) -> list[Note]:
    notes: list[Note] = []
    keys = compass(ACCOMPANIMENT)
    voices: list[int] = []
    for phrase in phrases:
        figure = str(rng.choice(FITTING[grid.metre]))
        events: list[Event] = []
        for i, chord in enumerate(phrase.chords):
            voices = voicing(chord, voices, keys.start, keys.start + 24)
            closing = i == len(phrase.chords) - 1 and phrase is phrases[-1]
            shape = "cadence" if closing else figure
            events += accompany(shape, voices, grid.units, phrase.bar + i)
        notes += play(rng, events, draw_manner(rng), grid, ACCOMPANIMENT)
    return notes


def _solo(
    rng: np.random.Generator, scale: Scale, grid: Grid, phrases: Sequence[Phrase]
) -> list[Note]:
    """Phrases of melody and of broken chords in turn, one note at a time."""
    notes: list[Note] = []
    keys = compass(SOLO)
    for phrase in phrases:
        if rng.random() < 0.65:
            events = _line(phrase, scale, grid, int(rng.integers(66, 76)), keys)
        else:
            events = _broken_chords(rng, grid, phrase, keys)
        notes += play(rng, events, draw_manner(rng), grid, SOLO)
    return notes


def _broken_chords(
    rng: np.random.Generator, grid: Grid, phrase: Phrase, keys: range
) -> list[Event]:
    figure = str(rng.choice(["arpeggio", "alberti", "rising", "leaping"]))
    voices: list[int] = []
    events: list[Event] = []
    for i, chord in enumerate(phrase.chords[:-1]):
        voices = voicing(chord, voices, keys.start, keys.stop - 1)
        events += broken(figure, voices, grid.units, phrase.bar + i)
    onset = (phrase.bar + len(phrase.chords) - 1) * grid.units
    return [*events, Event(onset, grid.units - 1, nearest_tone(70, phrase.chords[-1][:1]), 6)]
