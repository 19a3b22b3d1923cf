"""The grammar of the held-out test: what the training grammar never writes.

Other metres (5/4, 7/8, 2/2) and modes (Lydian, Phrygian, pentatonic), phrases of three bars, and
three textures: a chorale in block harmony, a canon over a drone, an ostinato under long notes.
"""

from collections.abc import Callable

import numpy as np

from timbrebench.datasets.sampling.score import Note, Piece
from timbrebench.datasets.starlet.harmony import Scale, nearest_tone, voicing
from timbrebench.datasets.starlet.instruments import ACCOMPANIMENT, MELODY, SOLO, compass
from timbrebench.datasets.starlet.writing import (
    Event,
    Grid,
    Metre,
    draw_manner,
    fitted_grid,
    play,
)

PHRASE = 3  # bars
_GROUPS = {"5/4": (3, 3, 2, 2), "7/8": (2, 2, 3), "2/2": (4, 4)}  # eighths a bar
_ROOT_STEPS = (-3, 1, 4, 5, 2)  # degrees from one chord to the next
_LOW, _HIGH = 62, 81  # of an upper line

Texture = Callable[[np.random.Generator, Scale, Grid], tuple[list[Event], list[Event]]]


def compose(
    rng: np.random.Generator, tonic: int, solo: bool, seconds: float, tempo: tuple[float, float]
) -> Piece:
    """A piece for melody and accompaniment, or for one line alone. ``tempo`` in beats a minute."""
    scale = Scale(tonic, str(rng.choice(["lydian", "phrygian", "pentatonic"])))
    metre = str(rng.choice(list(_GROUPS)))
    grid = fitted_grid(Metre(metre, sum(_GROUPS[metre]), 2), rng.uniform(*tempo), tempo, seconds)
    texture = str(rng.choice(list(_TEXTURES)))
    upper, lower = _TEXTURES[texture](rng, scale, grid)
    if solo:
        # An ostinato's solo is its pattern: a line that never rests.
        line = _lifted(lower) if texture == "ostinato" else upper
        parts = {SOLO: _played(rng, line, grid, SOLO)}
    else:
        parts = {
            MELODY: _played(rng, upper, grid, MELODY),
            ACCOMPANIMENT: _played(rng, lower, grid, ACCOMPANIMENT),
        }
    facts = {"key": scale.name, "metre": metre, "tempo": grid.tempo, "texture": texture}
    return Piece({k: tuple(sorted(v)) for k, v in parts.items()}, seconds, facts)


def _played(rng: np.random.Generator, events: list[Event], grid: Grid, part: str) -> list[Note]:
    """Each phrase in its own manner."""
    span = PHRASE * grid.units
    phrases: dict[int, list[Event]] = {}
    for event in events:
        phrases.setdefault(int(event.onset // span), []).append(event)
    played = (play(rng, phrases[n], draw_manner(rng), grid, part) for n in sorted(phrases))
    return [note for phrase in played for note in phrase]


def _lifted(events: list[Event]) -> list[Event]:
    """An octave up: an accompaniment's line as a solo."""
    return [Event(e.onset, e.length, e.key + 12, e.accent) for e in events]


def _walk(
    rng: np.random.Generator, scale: Scale, degree: int, low: int = _LOW, high: int = _HIGH
) -> int:
    """A step or a leap on the scale, turned back at the ends of the register."""
    step = int(rng.choice([-4, -2, -1, 1, 2, 4]))
    return degree + step if low <= scale.key(degree + step) <= high else degree - step


def _chorale(rng: np.random.Generator, scale: Scale, grid: Grid) -> tuple[list[Event], list[Event]]:
    """Four voices move together, a chord to each group of the metre; phrases end on a pause."""
    upper, lower = [], []
    voices: list[int] = []
    root, soprano = 0, int(rng.integers(67, 77))
    keys = compass(ACCOMPANIMENT)
    for bar in range(grid.bars):
        pausing = bar % PHRASE == PHRASE - 1 or bar == grid.bars - 1
        onset = bar * grid.units
        for length in (grid.units,) if pausing else _GROUPS[grid.metre]:
            chord = scale.triad(root)
            soprano = nearest_tone(soprano + int(rng.integers(-4, 5)), chord)
            soprano = min(max(soprano, nearest_tone(_LOW, chord)), nearest_tone(_HIGH, chord))
            voices = voicing(chord, voices, keys.start, keys.start + 24)
            sounding = length - 1 if pausing else length
            upper.append(Event(onset, sounding, soprano))
            lower += [Event(onset, sounding, key) for key in voices]
            onset += length
            root = (root + int(rng.choice(_ROOT_STEPS))) % 7
    return upper, lower


def _canon(rng: np.random.Generator, scale: Scale, grid: Grid) -> tuple[list[Event], list[Event]]:
    """A free subject; the accompaniment follows a bar later, an octave lower, over a drone."""
    upper: list[Event] = []
    degree = scale.degree_near(int(rng.integers(67, 75)))
    for bar in range(grid.bars):
        onset, end = bar * grid.units, (bar + 1) * grid.units
        while onset < end:
            length = min(int(rng.choice([1, 1, 2, 3, 4])), end - onset)
            degree = _walk(rng, scale, degree)
            if rng.random() > 0.15:
                upper.append(Event(onset, length, scale.key(degree), 6 * (length > 2)))
            onset += length
    last = grid.bars * grid.units
    lower = [
        Event(e.onset + grid.units, e.length, e.key - 12, e.accent)
        for e in upper
        if e.onset + grid.units < last
    ]
    bass = compass(ACCOMPANIMENT).start + (scale.tonic - compass(ACCOMPANIMENT).start) % 12
    drone = [(bar * grid.units, key) for bar in range(0, grid.bars, 2) for key in (bass, bass + 7)]
    lower += [Event(at, min(2 * grid.units, last - at), key, -8) for at, key in drone]
    return upper, lower


def _ostinato(
    rng: np.random.Generator, scale: Scale, grid: Grid
) -> tuple[list[Event], list[Event]]:
    """One bar's pattern, moved along the scale every other bar, under long notes and silences."""
    pattern = [int(d) for d in rng.integers(-4, 5, size=grid.units)]
    sounding = [i == 0 or bool(rng.random() < 0.8) for i in range(grid.units)]
    downbeats = {0, *np.cumsum(_GROUPS[grid.metre])}
    upper, lower = [], []
    shift, degree = 0, scale.degree_near(int(rng.integers(67, 77)))
    for bar in range(grid.bars):
        shift += int(rng.integers(-2, 3)) if bar % 2 == 0 and bar else 0
        for i in range(grid.units):
            if sounding[i]:
                key = scale.key(pattern[i] + shift)
                lower.append(Event(bar * grid.units + i, 1, key, 10 * (i in downbeats)))
        if rng.random() < 0.7:
            degree = _walk(rng, scale, degree)
            upper.append(Event(bar * grid.units, grid.units - 1, scale.key(degree)))
    return upper, lower


_TEXTURES: dict[str, Texture] = {"chorale": _chorale, "canon": _canon, "ostinato": _ostinato}
