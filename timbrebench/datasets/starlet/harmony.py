"""Scales, chords and voicings. A pitch class is 0 (C) .. 11, a degree counts from 0 (tonic)."""

from collections.abc import Sequence
from dataclasses import dataclass

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "pentatonic": (0, 2, 4, 7, 9),
}
TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

Chord = tuple[int, ...]  # pitch classes, root first


@dataclass(frozen=True)
class Scale:
    """A tonic's pitch class and a mode."""

    tonic: int
    mode: str

    @property
    def name(self) -> str:
        return f"{TONICS[self.tonic]} {self.mode}"

    def key(self, degree: int) -> int:
        """The MIDI key of a degree; degree 0 lies in the octave of middle C."""
        steps = MODES[self.mode]
        octave, step = divmod(degree, len(steps))
        return 60 + self.tonic + 12 * octave + steps[step]

    def degree_near(self, key: int) -> int:
        """The degree whose key is nearest, the lower of two."""
        steps = len(MODES[self.mode])
        guess = (key - 60 - self.tonic) * steps // 12
        return min(range(guess - 2, guess + 3), key=lambda d: (abs(self.key(d) - key), d))

    def triad(self, degree: int) -> Chord:
        """Every other degree from ``degree`` up. The dominant of a minor key is major."""
        chord = [self.key(degree + 2 * i) % 12 for i in range(3)]
        if self.mode == "minor" and degree % 7 == 4:
            chord[1] = (chord[1] + 1) % 12
        return tuple(chord)


def nearest_tone(key: int, chord: Chord) -> int:
    """The chord tone nearest to ``key``, the lower of two."""
    return min(range(key - 6, key + 7), key=lambda k: (k % 12 not in chord, abs(k - key), k))


def in_harmony(key: int, chord: Chord) -> int:
    """``key``, raised where it would rub a chord's leading tone from a semitone below."""
    return key + 1 if key % 12 not in chord and (key + 1) % 12 == chord[1] else key


def voicing(chord: Chord, previous: Sequence[int], low: int, high: int) -> list[int]:
    """A bass within the octave from ``low``, and each chord tone nearest to ``previous``."""
    bass = low + (chord[0] - low) % 12
    centre = (bass + 12 + high) // 2
    upper = []
    for i, pitch_class in enumerate(chord):
        near = previous[i + 1] if len(previous) > i + 1 else centre
        places = [k for k in range(bass + 3, high + 1) if k % 12 == pitch_class]
        upper.append(min(places, key=lambda k, near=near: (abs(k - near), k)))  # type: ignore[misc]
    return [bass, *sorted(upper)]
