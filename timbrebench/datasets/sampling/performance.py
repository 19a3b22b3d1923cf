"""A MIDI file, played by several instruments: a folder of recordings of the same notes.

    FOLDER/piece.json    FOLDER/score.mid    FOLDER/harp.flac    FOLDER/…

``piece.json`` says how long the piece is and whose part is heard, or why it cannot be played: it
is read, not the MIDI.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from timbrebench.core import files
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Progress
from timbrebench.datasets.sampling import fonts
from timbrebench.datasets.sampling.midi_options import LONGEST
from timbrebench.datasets.sampling.score import SHORTEST, Note, within

RING = 1.0  # seconds left at the end for the last notes
LONGEST_NOTE = 30.0  # seconds: what is held longer is released
_MOST_NOTES = 200_000
_FACTS = "piece.json"


Facts = Mapping[str, object]


class Unplayable(Exception):
    """A MIDI file that gives nothing to play, with the reason."""


@dataclass(frozen=True)
class Performance:
    """What is to be made of a MIDI file, and where."""

    midi: Path
    folder: Path
    programs: Mapping[str, int]  # instrument → General MIDI program
    soundfont: Path
    rate: int  # Hz
    seconds: float | None = None  # of the recordings; None: of the piece
    at_most: float = LONGEST  # seconds that are played

    @property
    def stems(self) -> dict[str, Path]:
        return {name: self.folder / f"{name}.flac" for name in self.programs}

    @property
    def score(self) -> Path:
        """The notes as they are played."""
        return self.folder / "score.mid"

    def facts(self) -> Facts:
        """{'seconds': …, 'heard': {instrument: bool}} or {'unfit': reason} of what was read
        already; {} before."""
        try:
            found = files.read_json(self.folder / _FACTS)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def unfit(self, facts: Facts | None = None) -> str:
        """Why there is nothing of it to use, as far as that is known; '' if there is."""
        facts = self.facts() if facts is None else facts
        silent = [name for name in self.programs if not _heard(facts).get(name, True)]
        told = f"{self.soundfont.name} plays none of its notes as {' or '.join(silent)}"
        return str(facts.get("unfit", told if silent else ""))

    def done(self) -> bool:
        paths = (self.score, *self.stems.values())
        return bool(self.unfit()) or all(path.is_file() for path in paths)


def recipe_digest() -> str:
    """Of the code that decides how notes sound."""
    return files.digest_of_files(sorted(Path(fonts.__file__).parent.glob("*.py")))


def examine(performance: Performance) -> Facts:
    """Its facts, from the MIDI file if they are not known, and then written down if that can be.
    BenchError where the SoundFont cannot be read."""
    known = performance.facts()
    if "unfit" in known or performance.programs.keys() <= _heard(known).keys():
        return known
    found: dict[str, object]
    try:
        notes = played(performance)
        found = {"seconds": _length(performance, notes)}
    except Unplayable as reason:
        found = {"unfit": str(reason)}
    except Exception as error:  # a parser of untrusted bytes may raise anything
        told = f"{type(error).__name__} {error}".strip().partition("\n")[0]
        found = {"unfit": f"it cannot be read as MIDI ({told})"}
    else:
        found["heard"] = {**_heard(known), **_audible(performance, notes)}
    with contextlib.suppress(OSError):  # it is read again the next time
        files.write_json(performance.folder / _FACTS, found)
    return found


def _heard(facts: Facts) -> dict[str, bool]:
    """Instrument → whether anything of it sounds."""
    found = facts.get("heard", {})
    return found if isinstance(found, dict) else {}


def _audible(performance: Performance, notes: Sequence[Note]) -> dict[str, bool]:
    """Of each instrument, by what the SoundFont has: nothing is played for it."""
    from timbrebench.datasets.sampling.rendering import font_of

    font = font_of(performance.soundfont)
    strikes = {(note.key, note.velocity) for note in notes}
    return {name: font.hears(number, strikes) for name, number in performance.programs.items()}


def played(performance: Performance) -> list[Note]:
    """All notes but drums, from the first on; under the pedal they are held.

    In time with a recording (``seconds``) they stay where they are. Unplayable where there is
    nothing to play, or too much.
    """
    from timbrebench.datasets.sampling.midi import pitched_tracks, why_unread

    if unfit := why_unread(performance.midi):
        raise Unplayable(unfit)
    notes = [n for track in pitched_tracks(performance.midi, pedal=True) for n in track]
    if not notes:
        raise Unplayable("it has no notes but drums")
    if len(notes) > _MOST_NOTES:
        raise Unplayable(f"it has {len(notes)} notes; at most {_MOST_NOTES} are taken")
    begin = 0.0 if performance.seconds else min(n.start for n in notes)
    moved = (
        replace(
            n,
            start=n.start - begin,
            duration=min(max(n.duration, SHORTEST), LONGEST_NOTE),
            velocity=max(n.velocity, 1),
        )
        for n in notes
    )
    return list(within(moved, performance.seconds or performance.at_most))


def _length(performance: Performance, notes: list[Note]) -> float:
    """Of the recordings in seconds, whole samples."""
    if not notes:
        raise Unplayable("it has no notes within its recording")
    end = max(n.start + n.duration for n in notes) + RING
    seconds = performance.seconds or min(end, performance.at_most)
    if seconds > LONGEST:
        raise Unplayable(
            f"it lasts {seconds / 3600:.1f} hours; at most {LONGEST / 3600:g} are taken"
        )
    return round(seconds * performance.rate) / performance.rate


def perform(performance: Performance) -> None:
    """Makes the missing files; what cannot be played is written down as unfit."""
    from timbrebench.datasets.sampling import effects
    from timbrebench.datasets.sampling.midi import write_parts
    from timbrebench.datasets.sampling.rendering import font_of, write_flac
    from timbrebench.datasets.sampling.sampler import Sampler

    facts = examine(performance)
    if performance.unfit(facts):
        return
    notes = played(performance)
    length = round(float(str(facts["seconds"])) * performance.rate)
    sampler = Sampler(font_of(performance.soundfont), performance.rate)
    for name, path in performance.stems.items():
        if path.is_file():
            continue
        wave = sampler.play(performance.programs[name], notes, length)
        if not wave.any():  # it was expected to sound
            silent = {**_heard(facts), name: False}
            files.write_json(performance.folder / _FACTS, {**facts, "heard": silent})
            return
        write_flac(path, effects.finished(wave, performance.rate), performance.rate)
    if not performance.score.is_file():
        write_parts(performance.score, {"": notes})


def perform_all(performances: Sequence[Performance], progress: Progress) -> None:
    """Every one that is not done. BenchError where they cannot be written."""
    from timbrebench.datasets.sampling.rendering import font_of, in_threads

    waiting = [p for p in performances if not p.done()]
    for path in {p.soundfont for p in waiting}:
        font_of(path)  # once, before there are threads
    try:
        in_threads(perform, waiting, progress, "rendering pieces")
    except OSError as error:
        raise BenchError(
            f"{waiting[0].folder.parent} cannot be written to: {error.strerror}.",
            hint="Name another folder with --data-root or TIMBREBENCH_CACHE.",
        ) from error
