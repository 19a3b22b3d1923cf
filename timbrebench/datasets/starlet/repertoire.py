"""Which pieces there are: ids, splits, parts and, when asked, the notes.

A composed piece depends on the seed and its id alone, so that more pieces leave the earlier
ones as they are. Every other one is a solo.
"""

from dataclasses import dataclass
from pathlib import Path

from timbrebench.core.errors import BenchError
from timbrebench.core.records import SPLITS
from timbrebench.core.seeds import generator, seed_of
from timbrebench.datasets.sampling.score import Piece, within
from timbrebench.datasets.starlet.instruments import (
    ACCOMPANIMENT,
    MELODY,
    MIXED,
    MIXTURES,
    PARTS,
    SOLO,
)
from timbrebench.datasets.starlet.options import Options

_VALID_SHARE, _TEST_SHARE = 0.1, 0.15  # of a folder of MIDI files, at least one file each


@dataclass(frozen=True)
class Entry:
    """A piece that may not have been written yet."""

    id: str
    split: str
    seconds: float
    solo: bool
    number: int = 0  # in its split
    piece: Piece | None = None  # where it was read, not composed

    @property
    def parts(self) -> dict[str, str]:
        """What each instrument and mixture plays."""
        if self.solo:
            return dict.fromkeys(PARTS[SOLO], SOLO)
        singles = {name: part for part in (MELODY, ACCOMPANIMENT) for name in PARTS[part]}
        return singles | dict.fromkeys(MIXTURES, MIXED)

    def notes(self, options: Options) -> Piece:
        """Its notes, composed now if need be."""
        return self.piece or _composed(self, options)


def entries(options: Options) -> tuple[tuple[Entry, ...], dict[str, str]]:
    """All pieces, and the MIDI files left out with their reasons."""
    if options.midi:
        return _from_midi(options, options.midi)
    counts = (options.pieces, options.valid_pieces, options.test_pieces)
    found = (
        Entry(f"{split}-{number:03d}", split, options.seconds, number % 2 == 1, number)
        for split, count in zip(SPLITS, counts, strict=True)
        for number in range(count)
    )
    return tuple(found), {}


def _composed(entry: Entry, options: Options) -> Piece:
    from timbrebench.datasets.starlet import grammar, heldout

    held_out = entry.split == "test" and options.test_grammar == "heldout"
    rng = generator("starlet", options.seed, entry.id)
    tempo = (options.tempo_low, options.tempo_high)
    compose = heldout.compose if held_out else grammar.compose
    piece = compose(rng, _tonic(entry, options), entry.solo, entry.seconds, tempo)
    parts = {part: within(notes, entry.seconds) for part, notes in piece.parts.items()}
    return Piece(parts, piece.seconds, piece.facts)


def _tonic(entry: Entry, options: Options) -> int:
    """A pitch class: each twelve pieces of a split have all of them, in an order of the seed's."""
    order = generator("starlet", options.seed, entry.split, "tonics").permutation(12)
    return int(order[entry.number % 12])


def _from_midi(options: Options, folder: str) -> tuple[tuple[Entry, ...], dict[str, str]]:
    """Files in a seeded order: the first for the test, the next for validation."""
    from timbrebench.datasets.starlet.midi import read_folder

    pieces, left_out = read_folder(Path(folder), options.seconds)
    if len(pieces) < len(SPLITS):
        raise BenchError(
            f"starlet.midi: {folder} has {len(pieces)} readable MIDI files"
            f" ({len(left_out)} left out); train, valid and test need one each.",
            hint="Add .mid files.",
        )
    order = sorted(pieces, key=lambda id: seed_of("starlet", options.seed, id))
    tests = max(1, round(_TEST_SHARE * len(order)))
    valids = max(1, round(_VALID_SHARE * len(order)))
    splits = ["test"] * tests + ["valid"] * valids
    splits += ["train"] * (len(order) - len(splits))
    found = (
        Entry(
            f"{split}-{id}",
            split,
            pieces[id].seconds,
            solo=SOLO in pieces[id].parts,
            piece=pieces[id],
        )
        for id, split in zip(order, splits, strict=True)
    )
    return tuple(sorted(found, key=lambda e: e.id)), left_out
