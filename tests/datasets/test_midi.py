"""Any folder of MIDI files: who plays, how long, the pedal, and what is left out."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pretty_midi
import pytest

from timbrebench.benchmarks.environment import describe_corpus
from timbrebench.cli import main
from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.files import read_json, write_json
from timbrebench.core.notes import notes_of
from timbrebench.datasets.midi import Midi, Options
from timbrebench.datasets.sampling.midi import held
from timbrebench.datasets.sampling.performance import LONGEST_NOTE
from timbrebench.datasets.sampling.score import Note
from timbrebench.datasets.starlet.dataset import Starlet
from timbrebench.datasets.starlet.options import Options as StarletOptions
from timbrebench.testing import check_dataset

RATE = 16000


def silent(what: str, share: float) -> None:
    pass


def write(path: Path, *notes: tuple[float, float, int], pedal: tuple[float, ...] = ()) -> Path:
    """(start, end, key) of a piano with its pedal pressed and released at these times; drums."""
    midi = pretty_midi.PrettyMIDI()
    piano, drums = pretty_midi.Instrument(0), pretty_midi.Instrument(0, is_drum=True)
    piano.notes = [pretty_midi.Note(90, key, start, end) for start, end, key in notes]
    piano.control_changes = [
        pretty_midi.ControlChange(64, 0 if n % 2 else 127, at) for n, at in enumerate(pedal)
    ]
    drums.notes = [pretty_midi.Note(90, 38, 0.0, 0.2)]
    midi.instruments += [drums, piano]
    path.parent.mkdir(parents=True, exist_ok=True)
    midi.write(str(path))
    return path


@pytest.fixture
def folder(tmp_path: Path, cache: Path) -> Path:
    for n in range(3):
        write(tmp_path / f"mids/in/Piece {n}.mid", (1.0, 1.5, 60 + n), (1.5, 2.0, 64 + n))
    return tmp_path / "mids"


def dataset(folder: Path, **options) -> Midi:
    given = {"folder": str(folder), "instruments": "harp/flute", **options}
    return Midi(Options(**given), None)


def test_every_instrument_plays_every_file(folder: Path) -> None:
    made = dataset(folder)
    check_dataset(made)
    corpus = made.corpus()
    assert len(corpus.tracks) == 3 and {t.split for t in corpus.tracks} == {
        "train",
        "valid",
        "test",
    }
    assert all(set(t.stems) == {"harp", "flute"} for t in corpus.tracks)
    assert [t.name for t in corpus.groups["all"]] == ["harp:flute", "flute:harp"]
    first = next(t for t in corpus.tracks if t.id.startswith("piece-0"))
    assert first.seconds == pytest.approx(2.0)  # from the first note on, and a second to ring
    written = notes_of(corpus, first.id, "harp") or ()
    assert [(n.pitch, round(n.onset, 2)) for n in written] == [(60, 0.0), (64, 0.5)]


def test_the_list_of_datasets_takes_its_options(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["-o", f"midi.folder={folder}", "-o", "midi.instruments=harp/flute"]
    assert main(["data", "prepare", "midi", *words]) == 0
    capsys.readouterr()
    assert main(["data", "list", *words, "--json"]) == 0
    row = next(r for r in json.loads(capsys.readouterr().out) if r["name"] == "midi")
    assert row["state"] == "there" and row["there"].startswith("6 files, ")


def test_it_is_known_before_it_is_made_and_made_once(folder: Path) -> None:
    made = dataset(folder)
    before = made.corpus()
    assert not any(p.exists() for t in before.tracks for p in t.stems.values())
    made.prepare(silent)
    assert made.corpus() == before
    files = [p for t in before.tracks for p in t.stems.values()]
    times = {p: p.stat().st_mtime_ns for p in files}
    files[0].unlink()
    made.prepare(silent)
    assert {p: p.stat().st_mtime_ns for p in files[1:]} == {p: times[p] for p in files[1:]}
    assert files[0].is_file()


def test_what_is_malformed_is_told_and_left_out(folder: Path) -> None:
    good = (folder / "in/Piece 0.mid").read_bytes()
    (folder / "copy.mid").write_bytes(good)
    (folder / "cut.mid").write_bytes(good[: len(good) // 2])
    (folder / "text.mid").write_text("no MIDI")
    (folder / "empty.mid").touch()
    write(folder / "drums.mid")
    (folder / "large.midi").write_bytes(good + bytes(9 << 20))
    left_out = dataset(folder).corpus().notes["left_out"]
    reasons = {
        "cut.mid": "it cannot be read as MIDI",
        "text.mid": "it cannot be read as MIDI",
        "empty.mid": "it cannot be read as MIDI",
        "drums.mid": "it has no notes but drums",
        "large.midi": "it has 9 MiB",
        "in/Piece 0.mid": "it repeats copy.mid",
    }
    assert set(left_out) == set(reasons)
    for name, reason in reasons.items():
        assert left_out[name].startswith(reason) and "\n" not in left_out[name]


def test_nothing_is_read_of_what_never_ends_or_is_too_large(folder: Path) -> None:
    """Were a pipe opened or 50 GB hashed, this test would not end."""
    os.mkfifo(folder / "pipe.mid")
    (folder / "device.mid").symlink_to("/dev/zero")
    (folder / "loop.mid").symlink_to("loop.mid")
    (folder / "folder.mid").mkdir()
    with (folder / "sparse.mid").open("wb") as file:
        file.truncate(50 << 30)
    reasons = {
        "pipe.mid": "it is no regular file",
        "device.mid": "it is no regular file",
        "loop.mid": "Too many levels of symbolic links",
        "folder.mid": "it is no regular file",
        "sparse.mid": "it has 51200 MiB; a MIDI file of music has less than 8",
    }
    corpus = dataset(folder).corpus()
    assert corpus.notes["left_out"] == reasons and len(corpus.tracks) == 3
    own = Starlet(StarletOptions(midi=str(folder), seconds=3), None).corpus()
    assert own.notes["left_out"] == reasons


def test_a_name_of_any_bytes_can_be_told(folder: Path, tmp_path: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.mid")).write_text("no MIDI")
    card = describe_corpus(dataset(folder).corpus())
    write_json(tmp_path / "card.json", card)
    assert read_json(tmp_path / "card.json") == card
    assert "caf\\udce9.mid" in card["notes"]["left_out"]


@pytest.mark.parametrize(
    "change, told",
    [
        ({"folder": None}, "was not told where your files are"),
        ({"folder": "/nowhere"}, "has no folder '/nowhere'"),
        ({"instruments": "harpp"}, "Did you mean harp"),
        ({"instruments": "128"}, "unknown instrument '128'"),
        ({"instruments": "harp/46/flute"}, None),
        ({"instruments": "harp/harp"}, "names an instrument twice"),
        ({"instruments": "/"}, "is empty"),
        ({"soundfont": "/nowhere.sf2"}, "there is no SoundFont"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, change: dict[str, str], told: str | None) -> None:
    made = Midi(replace(dataset(folder).options, **change), None)
    if told is None:
        assert made.corpus().instruments == ("flute", "harp", "orchestral_harp")
        return
    with pytest.raises(BenchError, match=told) as caught:
        made.corpus()
    assert "\n" not in str(caught.value) and made.missing() == str(caught.value)


def test_a_folder_without_usable_files_says_why(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.mid").write_text("no MIDI")
    with pytest.raises(MissingData, match=r"no usable MIDI file \(a.mid: it cannot be read"):
        dataset(tmp_path).corpus()


def test_what_decides_the_sound_decides_the_fingerprint(folder: Path) -> None:
    changes = ({}, {"rate": 22050}, {"seconds": 1.0}, {"instruments": "harp"})
    assert len({dataset(folder, **c).corpus().fingerprint for c in changes}) == len(changes)


def test_verify_opens_what_was_made(folder: Path, cache: Path, capsys: Any) -> None:
    words = ["data", "verify", "midi", "-o", f"midi.folder={folder}", "-o", "midi.instruments=harp"]
    made = dataset(folder, instruments="harp")
    made.prepare(silent)
    assert main(words) == 0
    told = "each file is there and opens as audio; no checksum of it is known."
    assert capsys.readouterr().out == f"midi: nothing is wrong; {told}\n"
    path = made.corpus().tracks[0].stems["harp"]
    path.write_bytes(path.read_bytes()[:1000])
    assert main(words) == 1
    assert capsys.readouterr().out.startswith(f"{path}: ")


def test_pieces_are_cut(folder: Path) -> None:
    made = dataset(folder, seconds=1.0, instruments="harp")
    made.prepare(silent)
    corpus = made.corpus()
    assert all(t.seconds == 1.0 for t in corpus.tracks)
    assert len(corpus.load(corpus.tracks[0].id, "harp", RATE).samples) == RATE


def test_the_pedal_holds_notes_until_it_is_released_or_the_key_struck_again() -> None:
    notes = [Note(0, 1, 60, 90), Note(0, 1, 64, 90), Note(2, 1, 64, 90), Note(4, 1, 67, 90)]
    found = {(n.key, n.start): n.duration for n in held(notes, [(0.5, 3.5)])}
    assert found == {(60, 0): 3.5, (64, 0): 2, (64, 2): 1.5, (67, 4): 1}
    for_ever = {(n.key, n.start): n.duration for n in held(notes, [(0.5, float("inf"))])}
    assert for_ever == {(60, 0): 5, (64, 0): 2, (64, 2): 3, (67, 4): 1}
    assert held(notes, []) == notes


def test_the_pedal_is_heard(tmp_path: Path, cache: Path) -> None:
    short = ((0.0, 0.3, 60), (3.0, 3.3, 60))
    for name, pedal in (("dry", ()), ("held", (0.1, 2.5))):
        write(tmp_path / f"mids/{name}.mid", *short, pedal=pedal)
    made = dataset(tmp_path / "mids", instruments="strings")
    made.prepare(silent)
    corpus = made.corpus()
    level = {}
    for track in corpus.tracks:
        samples = corpus.load(track.id, "strings", RATE).samples
        later = samples[round(1.5 * RATE) : 2 * RATE]
        level[track.id.partition("-")[0]] = float(np.sqrt(np.mean(later**2)))
    assert level["held"] > 30 * level["dry"]


def test_a_note_that_is_never_released_ends(tmp_path: Path, cache: Path) -> None:
    write(tmp_path / "mids/a.mid", (0.0, 5000.0, 60))
    (track,) = dataset(tmp_path / "mids").corpus().tracks
    assert track.seconds == pytest.approx(LONGEST_NOTE + 1)
