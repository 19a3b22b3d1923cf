"""The user's own MIDI files as pieces for our parts."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from timbrebench.core.errors import MissingData
from timbrebench.datasets.sampling.midi import distinct_files, pitched_tracks
from timbrebench.datasets.sampling.score import SHORTEST, Note, Piece, within
from timbrebench.datasets.starlet.instruments import (
    ACCOMPANIMENT,
    MELODY,
    SOLO,
    compass,
    folded,
)
from timbrebench.datasets.starlet.writing import TAIL


def read_folder(folder: Path, seconds: float) -> tuple[dict[str, Piece], dict[str, str]]:
    """The pieces of a folder's MIDI files by id, and the files left out with their reasons."""
    if not folder.is_dir():
        raise MissingData(
            f"there is no folder {folder}.", hint="Set starlet.midi to a folder of .mid files."
        )
    pieces: dict[str, Piece] = {}
    left_out: dict[str, str] = {}
    for path, id, unfit in distinct_files(folder):
        try:
            if not unfit:
                pieces[id] = read(path, seconds)
        except Exception as error:  # a parser of untrusted bytes may raise anything
            unfit = f"{type(error).__name__}: {error}".rstrip(": ")
        if unfit:
            left_out[str(path.relative_to(folder))] = unfit
    return pieces, left_out


def read(path: Path, seconds: float) -> Piece:
    """The first ``seconds`` of a MIDI file from its first note on, for our parts.

    The highest track by mean key is the melody, the others are the accompaniment; a single
    track is a solo. Drums are left out. ValueError where nothing is left.
    """
    tracks = pitched_tracks(path)
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
