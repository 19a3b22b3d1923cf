"""Written notes: what a track's MIDI file says that an instrument plays."""

from functools import lru_cache
from pathlib import Path

from timbrebench.core.records import Corpus, Note

MIXED = "+"  # joins the parts of a mixture


def notes_of(corpus: Corpus, track: str, instrument: str) -> tuple[Note, ...] | None:
    """The notes that the instrument plays, by onset; None where they are not known."""
    found = corpus.track(track)
    if found.score is None or not found.score.is_file():
        return None
    by_part = _parts(found.score)
    wanted = found.parts.get(instrument, "").split(MIXED) if found.parts else list(by_part)
    if not set(wanted) <= set(by_part):
        return None
    return tuple(sorted(note for part in wanted for note in by_part[part]))


@lru_cache(maxsize=256)
def _parts(score: Path) -> dict[str, tuple[Note, ...]]:
    """Part (a MIDI track's name) → its notes. Drums have no pitch."""
    import pretty_midi

    tracks = pretty_midi.PrettyMIDI(str(score)).instruments
    found: dict[str, list[Note]] = {}
    for track in tracks:
        if not track.is_drum:
            own = found.setdefault(track.name, [])
            own += [Note(n.start, n.end, n.pitch) for n in track.notes]
    return {name: tuple(notes) for name, notes in found.items()}
