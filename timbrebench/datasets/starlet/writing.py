"""From bars to seconds: the grid that both grammars write on, dynamics and articulation."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from timbrebench.datasets.sampling.score import Note
from timbrebench.datasets.starlet.instruments import compass, folded

TAIL = 0.5  # seconds left at the end of a piece for the last notes to ring
_LOOSENESS = 0.006  # seconds by which a player is early or late, at most
_OVERLAP = 0.04  # seconds that legato notes sound into each other


@dataclass(frozen=True)
class Event:
    """A note on the grid. Times in units of a bar, from the piece's beginning."""

    onset: float
    length: float
    key: int
    accent: int = 0  # velocity above the phrase's


@dataclass(frozen=True)
class Metre:
    """How a bar is counted."""

    name: str
    units: int  # a bar, in eighth notes
    beat: int  # units that the tempo counts


@dataclass(frozen=True)
class Grid:
    """The bars of a piece in time."""

    metre: str
    units: int  # a bar
    unit: float  # seconds
    bars: int
    tempo: float  # beats a minute


def fitted_grid(metre: Metre, tempo: float, allowed: tuple[float, float], seconds: float) -> Grid:
    """Whole bars that fill a piece but for its tail, at the allowed tempo nearest to ``tempo``.

    Where no allowed tempo fills it (a short piece), the bars that fit at ``tempo``.
    """
    music = seconds - min(TAIL, seconds / 4)
    beats = metre.units / metre.beat  # a bar
    filling = {bars: 60 * beats * bars / music for bars in range(1, 1 + int(music * 4))}
    fitting = [(abs(t - tempo), bars) for bars, t in filling.items() if _inside(t, allowed)]
    if fitting:
        _, bars = min(fitting)
        tempo = filling[bars]
    else:
        bars = max(1, int(music * tempo / 60 / beats))
    return Grid(metre.name, metre.units, 60 / tempo / metre.beat, bars, round(tempo, 1))


def _inside(value: float, ends: tuple[float, float]) -> bool:
    return ends[0] <= value <= ends[1]


@dataclass(frozen=True)
class Manner:
    """How a phrase is played."""

    velocity: int
    swell: int  # velocity gained towards the middle of the phrase, negative for lost
    legato: float  # share of its length that a note sounds; above 1 it overlaps the next


def draw_manner(rng: np.random.Generator) -> Manner:
    """mezzo-piano to forte, growing or fading a little, staccato to legato."""
    return Manner(
        velocity=int(rng.choice([74, 82, 90, 98])),
        swell=int(rng.integers(-6, 11)),
        legato=float(rng.choice([0.7, 0.9, 0.97, 1.01], p=[0.1, 0.15, 0.3, 0.45])),
    )


def play(
    rng: np.random.Generator, events: Iterable[Event], manner: Manner, grid: Grid, part: str
) -> list[Note]:
    """The events of one phrase as notes in seconds, within the part's compass."""
    ordered = sorted(events, key=lambda e: (e.onset, e.key))
    if not ordered:
        return []
    first, last = ordered[0].onset, max(e.onset + e.length for e in ordered)
    notes = []
    for event in ordered:
        arch = np.sin(np.pi * (event.onset - first) / (last - first))
        velocity = manner.velocity + manner.swell * arch + event.accent + rng.integers(-4, 5)
        late = rng.uniform(-_LOOSENESS, _LOOSENESS)
        sounding = event.length * grid.unit * min(manner.legato, 1.0)
        notes.append(
            Note(
                start=round(max(0.0, event.onset * grid.unit + late), 4),
                duration=round(sounding + _OVERLAP * (manner.legato > 1), 4),
                key=folded(event.key, compass(part)),
                velocity=int(np.clip(velocity, 25, 120)),
            )
        )
    return notes
