"""Augmentation of training data: copies of the training tracks, shifted in pitch and level. Light.

Copies are tracks, so that no method has to know of them: an example's own stream draws among
tracks and their copies alike, both sides of a pair are shifted alike, and what a method makes of
whole tracks (latents, say) is made of copies too. What a copy is depends on its track's name and
number alone: it is the same for every method, seed and batch, and another track changes nothing.
"""

import dataclasses
import re
from dataclasses import dataclass

from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.files import digest
from timbrebench.core.records import Corpus, Track
from timbrebench.core.seeds import generator

MOST_SEMITONES, MOST_DB, MOST_COPIES = 12, 40.0, 64
_HINT = "Like pitch=-2..2,gain=-6..6,copies=4."
_RANGE = re.compile(r"([+-]?[\d.]+)\.\.([+-]?[\d.]+)")


@dataclass(frozen=True)
class Augmentation:
    """What copies there are of each training track."""

    pitch: tuple[int, int] = (0, 0)  # least and greatest shift in whole semitones
    gain_db: tuple[float, float] = (0.0, 0.0)
    copies: int = 4

    def __str__(self) -> str:
        """In the form that :func:`parse` takes; equal ones have one text."""
        pitch, gain = (f"{low:g}..{high:g}" for low, high in (self.pitch, self.gain_db))
        parts = [f"pitch={pitch}"] if any(self.pitch) else []
        parts += [f"gain={gain}"] if any(self.gain_db) else []
        return ",".join([*parts, f"copies={self.copies}"])

    def of(self, track: Track) -> list[Track]:
        """The copies of a track. Every shift comes once before one comes again."""
        rng = generator("augment", str(self), track.id)
        low, high = self.pitch
        # Not shifted at all is what the track itself is, unless its level changes.
        shifts = [s for s in range(low, high + 1) if s or any(self.gain_db)]
        order = [int(shift) for shift in rng.permutation(shifts)]
        gains = [round(float(gain), 2) for gain in rng.uniform(*self.gain_db, self.copies)]
        return [
            dataclasses.replace(
                track,
                id=f"{track.id}~{number}",
                shift=order[(number - 1) % len(order)],
                gain_db=gains[number - 1],
                score=None,
            )
            for number in range(1, self.copies + 1)
        ]


def parse(text: str) -> Augmentation:
    """Of 'pitch=-2..2,gain=-6..6,copies=4', each part but the copies optional."""
    values: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in ("pitch", "gain", "copies"):
            raise UnknownName("part of --augment:", name, ("pitch", "gain", "copies"), hint=_HINT)
        if name in values:
            raise BenchError(f"--augment says {name} twice.", hint=_HINT)
        values[name] = value
    pitch = _range("pitch", values.get("pitch", "0..0"), MOST_SEMITONES)
    gain = _range("gain", values.get("gain", "0..0"), MOST_DB)
    copies = values.get("copies", "4")
    if not all(end.is_integer() for end in pitch):
        raise BenchError(f"--augment shifts by whole semitones, not {values['pitch']}.", hint=_HINT)
    if not (copies.isascii() and copies.isdigit() and 1 <= int(copies) <= MOST_COPIES):
        raise BenchError(f"--augment takes 1 to {MOST_COPIES} copies, not {copies}.", hint=_HINT)
    if not (any(pitch) or any(gain)):
        raise BenchError("--augment changes nothing: it names no pitch and no gain.", hint=_HINT)
    return Augmentation((int(pitch[0]), int(pitch[1])), gain, int(copies))


def _range(name: str, text: str, most: float) -> tuple[float, float]:
    found = _RANGE.fullmatch(text)
    try:
        low, high = (float(end) for end in found.groups()) if found else (1.0, 0.0)
    except ValueError:
        low, high = 1.0, 0.0
    if not -most <= low <= high <= most:
        told = f"a range within {-most:g}..{most:g}"
        raise BenchError(f"--augment's {name} is {told}, not '{text}'.", hint=_HINT)
    return low, high


def augmented(corpus: Corpus, text: str) -> Corpus:
    """The corpus with copies of its training tracks; another fingerprint. '' changes nothing."""
    if not text:
        return corpus
    augmentation = parse(text)
    train = [track for track in corpus.tracks if track.split == "train"]
    copies = [copy for track in train for copy in augmentation.of(track)]
    taken = {t.id for t in corpus.tracks} & {copy.id for copy in copies}
    if taken:
        raise BenchError(f"--augment: a copy would be called {min(taken)}, as a track already is.")
    fingerprint = digest([corpus.fingerprint, str(augmentation)])
    return dataclasses.replace(corpus, tracks=(*corpus.tracks, *copies), fingerprint=fingerprint)
