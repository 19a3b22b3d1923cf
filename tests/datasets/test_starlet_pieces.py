"""The pieces: varied, within every instrument's reach, and another grammar where asked."""

from collections import Counter
from itertools import pairwise

import pytest

from timbrebench.datasets.starlet.instruments import (
    ACCOMPANIMENT,
    INSTRUMENTS,
    MELODY,
    PARTS,
    SOLO,
    compass,
    folded,
)
from timbrebench.datasets.starlet.options import Options
from timbrebench.datasets.starlet.repertoire import entries

COUNT = 60


def pieces(**options):
    found, _ = entries(Options(pieces=COUNT, test_pieces=COUNT, **options))
    return {e.id: e.notes(Options(**options)) for e in found}


@pytest.fixture(scope="module")
def repertoire():
    return pieces()


def test_every_note_is_in_reach_and_in_time(repertoire):
    for piece in (*repertoire.values(), *pieces(test_grammar="heldout", seconds=5.0).values()):
        for part, notes in piece.parts.items():
            assert notes == tuple(sorted(notes))
            for note in notes:
                assert all(
                    INSTRUMENTS[p].low <= note.key <= INSTRUMENTS[p].high for p in PARTS[part]
                )
                assert note.start >= 0 and note.duration > 0.03 and 1 <= note.velocity <= 127
                assert note.start + note.duration <= piece.seconds


def test_every_other_piece_is_a_solo(repertoire):
    for id, piece in repertoire.items():
        solo = int(id.split("-")[1]) % 2 == 1
        assert set(piece.parts) == ({SOLO} if solo else {MELODY, ACCOMPANIMENT})


def test_pieces_vary_in_key_mode_metre_tempo_and_dynamics(repertoire):
    facts = [p.facts for p in repertoire.values()]
    assert {f["metre"] for f in facts} == {"4/4", "3/4", "6/8"}
    assert len({f["key"] for f in facts}) > 30
    tempi = [f["tempo"] for f in facts]
    assert min(tempi) < 75 and max(tempi) > 120 and all(66 <= t <= 132 for t in tempi)
    velocities = [n.velocity for p in repertoire.values() for ns in p.parts.values() for n in ns]
    assert min(velocities) < 70 and max(velocities) > 105


def test_each_twelve_pieces_of_a_split_have_all_tonics(repertoire):
    for split, first in (("train", 0), ("train", 12), ("test", 0)):
        keys = [repertoire[f"{split}-{n:03d}"].facts["key"] for n in range(first, first + 12)]
        assert len({str(key).split()[0] for key in keys}) == 12


def test_pieces_begin_at_once_and_sound_until_the_end(repertoire):
    for piece in repertoire.values():
        notes = [n for part in piece.parts.values() for n in part]
        assert min(n.start for n in notes) < 1.0
        # The slowest: half a second to ring, a rest of an eighth, a long note cut short.
        assert max(n.start + n.duration for n in notes) > piece.seconds - 1.8


def test_a_line_has_rests_and_legato_and_is_one_note_at_a_time(repertoire):
    silences, overlaps = 0, 0
    for piece in repertoire.values():
        for line in (piece.parts.get(MELODY), piece.parts.get(SOLO)):
            gaps = [b.start - a.start - a.duration for a, b in pairwise(line or ())]
            silences += any(g > 0.25 for g in gaps)
            overlaps += any(g < 0 for g in gaps)
            assert all(g > -0.08 for g in gaps)
    assert silences > COUNT / 2 and overlaps > COUNT / 4


def test_accompaniments_are_chords_and_broken_chords(repertoire):
    sizes: Counter[int] = Counter()
    for piece in repertoire.values():
        starts = [round(n.start / 0.03) for n in piece.parts.get(ACCOMPANIMENT, ())]
        sizes += Counter(Counter(starts).values())
    assert sizes[1] > 500 and sizes[3] + sizes[4] > 500


def test_a_melody_ends_on_its_tonic_chord(repertoire):
    tonics = {"C": 0, "C#": 1, "D": 2, "Eb": 3, "E": 4, "F": 5}
    tonics |= {"F#": 6, "G": 7, "Ab": 8, "A": 9, "Bb": 10, "B": 11}
    for piece in repertoire.values():
        if MELODY in piece.parts:
            tonic = tonics[str(piece.facts["key"]).split()[0]]
            assert (piece.parts[MELODY][-1].key - tonic) % 12 in (0, 3, 4, 7)


def test_the_held_out_grammar_is_another_one_for_test_pieces_only(repertoire):
    held_out = pieces(test_grammar="heldout")
    tests = [id for id in held_out if id.startswith("test")]
    assert all(held_out[id] == repertoire[id] for id in held_out if id not in tests)
    facts = [held_out[id].facts for id in tests]
    assert {f["metre"] for f in facts} == {"5/4", "7/8", "2/2"}
    assert {f["texture"] for f in facts} == {"chorale", "canon", "ostinato"}
    assert all(held_out[id].parts != repertoire[id].parts for id in tests)


def test_more_pieces_leave_the_earlier_as_they_are(repertoire):
    few, _ = entries(Options(pieces=3))
    for entry in few[:3]:
        assert entry.notes(Options(pieces=3)) == repertoire[entry.id]
    assert entries(Options(seed=1))[0][0].notes(Options(seed=1)) != repertoire["train-000"]


def test_folding_keeps_the_pitch_class_and_reaches_the_compass():
    for part in PARTS:
        keys = compass(part)
        assert len(keys) >= 24
        for key in range(128):
            assert folded(key, keys) in keys and (folded(key, keys) - key) % 12 == 0
        assert all(folded(key, keys) == key for key in keys)
