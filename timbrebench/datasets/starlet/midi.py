"""MIDI files in and out: the user's own pieces, and the written notes of ours."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from timbrebench.core.errors import MissingData
from timbrebench.core.files import atomic_path, sha256_of
from timbrebench.datasets.starlet.instruments import (
    ACCOMPANIMENT,
    MELODY,
    SOLO,
    compass,
    folded,
)
from timbrebench.datasets.starlet.score import SHORTEST, Note, Piece, within
from timbrebench.datasets.starlet.writing import TAIL

_TICKS = 960  # a quarter note


def write_score(path: Path, piece: Piece) -> None:
    """The piece as a MIDI file with a track for each part, named by it."""
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(resolution=_TICKS)
    for name, notes in piece.parts.items():
        track = pretty_midi.Instrument(program=0, name=name)
        track.notes = [
            pretty_midi.Note(n.velocity, n.key, n.start, n.start + n.duration) for n in notes
        ]
        midi.instruments.append(track)
    with atomic_path(path) as temporary:
        midi.write(str(temporary))


def read_folder(folder: Path, seconds: float) -> tuple[dict[str, Piece], dict[str, str]]:
    """The pieces of a folder's MIDI files by id, and the files left out with their reasons."""
    if not folder.is_dir():
        raise MissingData(
            f"there is no folder {folder}.", hint="Set starlet.midi to a folder of .mid files."
        )
    pieces: dict[str, Piece] = {}
    left_out: dict[str, str] = {}
    digests: dict[str, str] = {}  # copies in two splits would leak
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".mid", ".midi")):
        name = str(path.relative_to(folder))
        try:
            digest = sha256_of(path)[:8]
            if digest in digests:
                raise ValueError(f"it repeats {digests[digest]}")
            pieces[f"{_slug(path)}{digest}"] = read(path, seconds)
            digests[digest] = name
        except Exception as error:  # a parser of untrusted bytes may raise anything
            left_out[name] = f"{type(error).__name__}: {error}".rstrip(": ")
    return pieces, left_out


def read(path: Path, seconds: float) -> Piece:
    """The first ``seconds`` of a MIDI file from its first note on, for our parts.

    The highest track by mean key is the melody, the others are the accompaniment; a single
    track is a solo. Drums are left out. ValueError where nothing is left.
    """
    import pretty_midi

    tracks = [
        [Note(n.start, n.end - n.start, n.pitch, n.velocity) for n in track.notes]
        for track in pretty_midi.PrettyMIDI(str(path)).instruments
        if not track.is_drum
    ]
    begin = min((n.start for track in tracks for n in track), default=0.0)
    cut = [within((replace(n, start=n.start - begin) for n in t), seconds) for t in tracks]
    voices = sorted((t for t in cut if t), key=_mean_key, reverse=True)
    if not voices:
        raise ValueError("it has no notes but drums")
    if len(voices) == 1:
        parts = {SOLO: voices[0]}
    else:
        parts = {MELODY: voices[0], ACCOMPANIMENT: tuple(n for v in voices[1:] for n in v)}
    parts = {part: _playable(notes, part) for part, notes in parts.items()}
    end = max(n.start + n.duration for notes in parts.values() for n in notes)
    return Piece(parts, min(seconds, end + TAIL), {"file": path.name})


def _slug(path: Path) -> str:
    """A file's name, made harmless."""
    slug = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:40]
    return f"{slug}-" if slug else ""


def _mean_key(notes: tuple[Note, ...]) -> float:
    return sum(n.key for n in notes) / len(notes)


def _playable(notes: Iterable[Note], part: str) -> tuple[Note, ...]:
    """Moved by octaves into the compass that the part's instruments share."""
    keys = compass(part)
    return tuple(
        sorted(
            replace(n, key=folded(n.key, keys), duration=max(n.duration, SHORTEST)) for n in notes
        )
    )
