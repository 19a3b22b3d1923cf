"""MAESTRO in its layout: the published split, and other instruments that play its MIDI."""

import json
from pathlib import Path

import numpy as np
import pretty_midi
import pytest

from timbrebench.cli import main
from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.fetching import Fetching, using
from timbrebench.core.notes import notes_of
from timbrebench.datasets.maestro import METADATA, Maestro, Options
from timbrebench.datasets.sampling.fonts import default_soundfont
from timbrebench.testing import check_dataset

INDEX = "maestro_index_2.0.0.json"
SPLITS = {"2008/a": "train", "2008/b": "validation", "2009/c": "test", "2009/d": "train"}
RATE = 22050


def silent(what: str, share: float) -> None:
    pass


def write_midi(path: Path, key: int) -> None:
    midi = pretty_midi.PrettyMIDI()
    piano = pretty_midi.Instrument(0)
    piano.notes = [pretty_midi.Note(90, key + n, 0.5 + 0.5 * n, 0.9 + 0.5 * n) for n in range(4)]
    midi.instruments.append(piano)
    path.parent.mkdir(parents=True, exist_ok=True)
    midi.write(str(path))


@pytest.fixture
def root(shelf) -> Path:
    for n, id in enumerate(SPLITS):
        write_midi(shelf.root / "maestro" / f"{id}.midi", 60 + n)
    tracks = {id: {"midi": f"{id}.midi", "audio": f"{id}.wav"} for id in SPLITS}
    home = shelf.place("maestro", INDEX, tracks, seconds=3.0, rate=RATE)
    metadata = [{"midi_filename": f"{id}.midi", "split": s} for id, s in SPLITS.items()]
    (home / METADATA).write_text(json.dumps(metadata))
    return shelf.root


def test_the_split_is_the_published_one(root: Path) -> None:
    corpus = Maestro(Options(), root).corpus()
    found = {t.id: t.split for t in corpus.tracks}
    assert found == {"2008/a": "train", "2008/b": "valid", "2009/c": "test", "2009/d": "train"}
    assert corpus.notes["split"] == f"as published ({METADATA})"
    assert len(notes_of(corpus, "2008/a", "piano") or ()) == 4


def test_the_metadata_is_fetched_by_itself(root: Path, tmp_path: Path) -> None:
    """At nobody's address, so that what is asked for first is told."""
    (root / "maestro" / METADATA).unlink()
    nobody = Fetching(mirror="http://127.0.0.1:9", tries=1, timeout=1)
    with using(nobody), pytest.raises(BenchError, match=rf"^{METADATA}: "):
        Maestro(Options(), root).prepare(silent)


def test_without_the_metadata_hashes_split_and_say_so(root: Path) -> None:
    (root / "maestro" / METADATA).unlink()
    corpus = Maestro(Options(), root).corpus()
    assert {t.split for t in corpus.tracks} == {"train", "valid", "test"}
    assert "hashes" in corpus.notes["split"]


@pytest.mark.parametrize("text", ["", "[1]", "[]", '[{"midi_filename": "2008/a.midi"}]'])
def test_metadata_that_is_none_is_one_line(root: Path, text: str) -> None:
    (root / "maestro" / METADATA).write_text(text)
    with pytest.raises(BenchError, match="cannot be read") as caught:
        Maestro(Options(), root).corpus()
    assert "\n" not in str(caught.value)


def test_other_instruments_play_its_midi(root: Path, tmp_path: Path) -> None:
    (root / "maestro/2009/d.midi").write_bytes(b"no MIDI")
    dataset = Maestro(Options(renders="harp/flute", fetch=False), root)
    command = "bench data prepare maestro .*maestro.renders=harp/flute -o maestro.fetch=false"
    with pytest.raises(MissingData, match=command):
        dataset.corpus()
    check_dataset(dataset)
    corpus = dataset.corpus()
    assert [t.name for t in corpus.groups["all"]] == [
        *("piano:flute", "flute:piano", "piano:harp", "harp:piano")
    ]
    assert corpus.tracks_of("test", "piano", "harp")
    assert set(corpus.track("2009/d").stems) == {"piano"}
    assert "cannot be read as MIDI" in corpus.notes["left_out"]["2009/d (MIDI)"]
    files = [p for t in corpus.tracks for p in t.stems.values()]
    times = {p: p.stat().st_mtime_ns for p in files}
    dataset.prepare(silent)
    assert {p: p.stat().st_mtime_ns for p in files} == times
    before = dataset.verify(silent)
    assert {file: why for file, why in before.items() if "harp" in file} == {}
    harp = corpus.track("2008/a").stems["harp"]
    harp.write_bytes(harp.read_bytes()[:1000])
    assert set(dataset.verify(silent)) == {*before, str(harp)}


def test_what_mends_has_every_option(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other renders, or of another SoundFont, would leave it as it is."""
    font = default_soundfont()
    said = ["-o", "maestro.renders=harp/flute", "-o", f"maestro.soundfont={font}"]
    said += ["-o", "maestro.rate=8000"]
    words = ["data", "verify", "maestro", "--data-root", str(root), *said]
    assert main(words) == 1
    mend = f"Mend it: bench data prepare maestro --data-root {root} {' '.join(said)}\n"
    assert capsys.readouterr().out.endswith(mend)
    missing = Maestro(Options("harp/flute", str(font), 8000), root).missing()
    assert f" --data-root {root} {' '.join(said)} -o maestro.fetch=false" in missing


def test_a_render_is_in_time_with_the_recording(root: Path) -> None:
    dataset = Maestro(Options(renders="piano", fetch=False), root)
    with pytest.raises(BenchError, match="piano is the recorded one"):
        dataset.corpus()
    dataset = Maestro(Options(renders="acoustic_grand_piano", fetch=False), root)
    dataset.prepare(silent)
    samples = dataset.corpus().load("2008/a", "acoustic_grand_piano", RATE).samples
    assert len(samples) == 3 * RATE
    level = np.abs(samples).reshape(-1, RATE // 10).max(axis=1)  # by tenths of a second
    assert level[:5].max() < 0.05 * level.max() < level[5]  # the first note is at 0.5 s


def test_the_real_clip_loads(data_root: Path, cache: Path) -> None:
    corpus = Maestro(Options(), data_root / "mirdata").corpus()
    (track,) = corpus.tracks
    assert (track.split, corpus.rate) == ("train", 48000)
    assert corpus.load(track.id, "piano", 48000).seconds == pytest.approx(2.0)
