"""Note F1: worked out by hand, on tones of known pitch, and on what cannot be measured."""

from pathlib import Path

import numpy as np
import pytest

from timbrebench.benchmarks.metrics.notes import FRAME_SECONDS, NoteF1, scores, transcribed
from timbrebench.benchmarks.metrics.options import NoteOptions
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.notes import notes_of
from timbrebench.core.records import Clip, Corpus, Note, Track

RATE = 16000
MELODY = tuple(Note(0.5 * i, 0.5 * i + 0.45, key) for i, key in enumerate((60, 64, 67, 62)))


def played(notes: tuple[Note, ...], seconds: float = 2.0) -> Clip:
    """Harmonic tones, one a note, with a short rise and fall."""
    samples = np.zeros(int(seconds * RATE))
    for note in notes:
        time = np.arange(int((note.end - note.onset) * RATE)) / RATE
        hertz = 440 * 2 ** ((note.pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * h * hertz * time) / h for h in range(1, 6))
        ramp = np.clip(np.arange(len(time)) / 200, 0, 1)
        begin = int(note.onset * RATE)
        samples[begin : begin + len(time)] += 0.2 * tone * ramp * ramp[::-1]
    return Clip(samples.astype(np.float32), RATE, "reed", "t")


def measured(written: tuple[Note, ...] | None, estimate: Clip) -> dict[str, float]:
    reference = Clip(estimate.samples, RATE, "reed", "t", notes=written)
    return NoteF1(NoteOptions()).measure(reference, estimate)


def test_runs_of_frames_are_notes() -> None:
    """A run, a gap that is closed, one that is not, and a run too short to be a note."""
    roll = np.zeros((60, 128), bool)
    roll[5:15, 60] = roll[18:25, 60] = True  # a gap of three frames, 24 ms
    roll[35:45, 60] = True
    roll[50:53, 64] = True
    found = list(transcribed(roll))
    assert [(round(n.onset / FRAME_SECONDS), round(n.end / FRAME_SECONDS)) for n in found] == [
        (5, 25),
        (35, 45),
    ]
    assert {n.pitch for n in found} == {60}


def test_by_hand() -> None:
    """Of four written notes two are heard, one a semitone off and one 200 ms late; one is extra."""
    heard = [MELODY[0], MELODY[1], Note(1.0, 1.4, 68), Note(1.7, 1.9, 62), Note(0.2, 0.3, 40)]
    values = scores(MELODY, heard, tolerance=0.1)
    assert values["note_precision"] == pytest.approx(2 / 5)
    assert values["note_recall"] == pytest.approx(2 / 4)
    assert values["note_f1"] == pytest.approx(2 * 0.4 * 0.5 / 0.9)


def test_what_is_written_is_heard() -> None:
    assert measured(MELODY, played(MELODY))["note_f1"] > 0.95


def test_one_wrong_note_of_four_costs_a_quarter() -> None:
    wrong = (*MELODY[:3], MELODY[3]._replace(pitch=66))
    values = measured(MELODY, played(wrong))
    assert values["note_recall"] == pytest.approx(0.75)
    assert values["note_precision"] == pytest.approx(0.75, abs=0.06)


def test_silence_hears_nothing() -> None:
    silence = Clip(np.zeros(2 * RATE, np.float32), RATE)
    assert set(measured(MELODY, silence).values()) == {0.0}


@pytest.mark.parametrize(
    ("written", "samples", "message"),
    [
        (None, np.zeros(RATE), "are not known"),
        ((), np.zeros(RATE), "no note is written"),
        ((Note(5, 6, 60),), np.zeros(RATE), "no note is written"),
        (MELODY, np.zeros(100), "shorter than a frame"),
        (MELODY, np.full(RATE, np.nan), "NaN"),
    ],
)
def test_what_cannot_be_measured(written, samples: np.ndarray, message: str) -> None:
    with pytest.raises(CannotMeasure, match=message):
        measured(written, Clip(samples.astype(np.float32), RATE))


def test_written_notes_by_part(tmp_path: Path) -> None:
    """As starlet writes them: a MIDI track a part, of which an instrument plays one or both."""
    import pretty_midi

    midi = pretty_midi.PrettyMIDI()
    for name, key in (("melody", 72), ("accompaniment", 48)):
        track = pretty_midi.Instrument(0, name=name)
        track.notes = [pretty_midi.Note(80, key, 0.5, 1.0)]
        midi.instruments.append(track)
    midi.write(str(tmp_path / "score.mid"))
    parts = {"reed": "melody", "bell": "accompaniment", "reed+bell": "melody+accompaniment"}
    stems = dict.fromkeys(parts, tmp_path / "x.wav")
    track = Track("t", stems, "test", score=tmp_path / "score.mid", parts=parts)
    bare = Track("bare", stems, "test")
    corpus = Corpus("c", (track, bare), {}, "")

    def keys(instrument: str) -> list[int]:
        return [n.pitch for n in notes_of(corpus, "t", instrument) or ()]

    assert keys("reed") == [72] and keys("bell") == [48]
    assert sorted(keys("reed+bell")) == [48, 72]
    assert notes_of(corpus, "bare", "reed") is None
    assert notes_of(corpus, "t", "flute") is None
