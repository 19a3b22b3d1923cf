"""Notes and pieces: what is played, before anything sounds. Light: standard library only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, order=True)
class Note:
    """A note as written. Times in seconds."""

    start: float
    duration: float
    key: int  # MIDI, 60 is middle C
    velocity: int  # 1..127


@dataclass(frozen=True)
class Piece:
    """Parts that sound together, by name."""

    parts: Mapping[str, tuple[Note, ...]]
    seconds: float  # of its recording, the last notes' ring included
    facts: Mapping[str, object] = field(default_factory=dict)  # key, metre, tempo, …


SHORTEST = 0.05  # seconds of a note that is cut


def within(notes: Iterable[Note], seconds: float) -> tuple[Note, ...]:
    """The notes that begin early enough to be heard, cut at ``seconds``, in order."""
    heard = (n for n in notes if n.start < seconds - SHORTEST)
    return tuple(sorted(replace(n, duration=min(n.duration, seconds - n.start)) for n in heard))
