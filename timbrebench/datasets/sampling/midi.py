"""MIDI files in and out."""

import re
import stat
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from timbrebench.core.files import atomic_path, sha256_of
from timbrebench.datasets.sampling.score import Note

if TYPE_CHECKING:
    import pretty_midi

_TICKS = 960  # a quarter note
_MOST_BYTES = 8 << 20  # of a file
_SUSTAIN, _DOWN = 64, 64  # number of the controller, and the value from which it is pressed


def distinct_files(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """(file, id, '' or why it is left out) of a folder's MIDI files, by name.

    A copy in another split would leak: of files with the same content the first counts.
    """
    first: dict[str, str] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".mid", ".midi")):
        name = str(path.relative_to(folder))
        try:
            unfit = why_unread(path)
            digest = "" if unfit else sha256_of(path)[:8]
        except OSError as error:
            unfit = str(error.strerror)
        if unfit:
            yield path, "", unfit
            continue
        twin = first.setdefault(digest, name)
        yield path, f"{_slug(path)}{digest}", "" if twin == name else f"it repeats {twin}"


def why_unread(path: Path) -> str:
    """Why nothing is to be read of a file; '' if that can be tried. A pipe or a device that is
    called .mid would never end."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return "it is no regular file"
    if status.st_size > _MOST_BYTES:
        return f"it has {status.st_size >> 20} MiB; a MIDI file of music has less than 8"
    return ""


def _slug(path: Path) -> str:
    """A file's name, made harmless."""
    slug = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:40]
    return f"{slug}-" if slug else ""


def pitched_tracks(path: Path, *, pedal: bool = False) -> list[list[Note]]:
    """The notes of each of a file's tracks but drums; ``pedal`` holds them as the pedal does.

    Whatever the parser raises at untrusted bytes.
    """
    import pretty_midi

    tracks = []
    for track in pretty_midi.PrettyMIDI(str(path)).instruments:
        if not track.is_drum:
            notes = [Note(n.start, n.end - n.start, n.pitch, n.velocity) for n in track.notes]
            tracks.append(held(notes, _pedal(track)) if pedal else notes)
    return tracks


def _pedal(track: "pretty_midi.Instrument") -> list[tuple[float, float]]:
    """(pressed, released) in seconds, in order; one that is never released lasts for ever."""
    spans, pressed = [], None
    for change in sorted(track.control_changes, key=lambda c: c.time):
        if change.number != _SUSTAIN:
            continue
        if change.value >= _DOWN and pressed is None:
            pressed = change.time
        elif change.value < _DOWN and pressed is not None:
            spans.append((pressed, change.time))
            pressed = None
    return spans if pressed is None else [*spans, (pressed, float("inf"))]


def held(notes: Sequence[Note], spans: Sequence[tuple[float, float]]) -> list[Note]:
    """Notes that end under the pedal last until it is released, their key is struck again, or
    the last note of all has ended."""
    begins = [begin for begin, _ in spans]
    strikes: dict[int, list[float]] = defaultdict(list)
    for note in sorted(notes):
        strikes[note.key].append(note.start)
    last = max((n.start + n.duration for n in notes), default=0.0)
    found = []
    for note in notes:
        end = note.start + note.duration
        under = bisect_right(begins, end) - 1
        if under >= 0 and end < spans[under][1]:
            later = strikes[note.key][bisect_right(strikes[note.key], note.start) :]
            end = max(end, min([spans[under][1], last, *later[:1]]))
        found.append(replace(note, duration=end - note.start))
    return found


def write_parts(path: Path, parts: Mapping[str, Iterable[Note]]) -> None:
    """A MIDI file with a track for each part, named by it."""
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(resolution=_TICKS)
    for name, notes in parts.items():
        track = pretty_midi.Instrument(program=0, name=name)
        track.notes = [
            pretty_midi.Note(n.velocity, n.key, n.start, n.start + n.duration) for n in notes
        ]
        midi.instruments.append(track)
    with atomic_path(path) as temporary:
        midi.write(str(temporary))
