"""From bars to seconds: the grid that both grammars write on, dynamics and articulation."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from timbrebench.datasets.starlet.instruments import compass, folded
from timbrebench.datasets.starlet.score import Note

TAIL = 1.5  # seconds left at the end of a piece for the last notes to ring
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
class Grid:
    """A metre at a tempo."""

    metre: str
    units: int  # a bar, such as eighth notes
    unit: float  # seconds

    def bars(self, seconds: float) -> int:
        """Whole bars that fit into a piece."""
        return max(1, int((seconds - min(TAIL, seconds / 4)) / (self.units * self.unit)))


@dataclass(frozen=True)
class Manner:
    """How a phrase is played."""

    velocity: int
    swell: int  # velocity gained towards the middle of the phrase, negative for lost
    legato: float  # share of its length that a note sounds; above 1 it overlaps the next


def draw_manner(rng: np.random.Generator) -> Manner:
    """piano to forte, growing or fading, staccato to legato."""
    return Manner(
        velocity=int(rng.choice([54, 66, 80, 96])),
        swell=int(rng.integers(-10, 19)),
        legato=float(rng.choice([0.5, 0.85, 0.95, 1.01], p=[0.2, 0.2, 0.25, 0.35])),
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
