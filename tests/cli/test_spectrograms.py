"""``bench data spectrograms``, and the way back through the dataset ``folder``."""

import csv
import os
import shutil
import threading
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from click.testing import CliRunner
from PIL import Image

from timbrebench.benchmarks.spectrogram_folders import names_of
from timbrebench.cli import bench
from timbrebench.core import spectrograms
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.fingerprint import content_hashes
from timbrebench.core.mel import log_mel, preset
from timbrebench.core.options import NoOptions
from timbrebench.core.records import SPLITS, Corpus, Track
from timbrebench.core.spectrograms import Chunk
from timbrebench.datasets.folder import Folder
from timbrebench.datasets.sampling.midi import write_parts
from timbrebench.datasets.sampling.score import Note
from timbrebench.testing import tiny_corpus

pytestmark = pytest.mark.usefixtures("cache")


def called(*words: object, code: int = 0) -> str:
    """What a command says; it ends with that code (click's runner keeps what it returned)."""
    run = CliRunner().invoke(
        bench, ["data", *map(str, words)], catch_exceptions=False, standalone_mode=False
    )
    assert (run.return_value or 0) == code, run.output
    return run.output


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    tiny_corpus(tmp_path / "audio", split={"train": 2, "test": 1}, seconds=4.0)
    return tmp_path / "audio"


@pytest.fixture
def pictures(audio: Path, tmp_path: Path) -> Path:
    out = tmp_path / "pictures"
    told = called("spectrograms", "folder", "--data-root", audio, "--out", out)
    assert "6 of bell" in told
    return out


def test_folders_and_pairs(pictures: Path) -> None:
    expected = [f"tune{track}_chunk{number}.png" for track in range(3) for number in (0, 1)]
    for instrument in ("bell", "bow", "reed"):
        assert sorted(p.name for p in (pictures / instrument).iterdir()) == expected
    rows = list(csv.DictReader((pictures / "pairs.csv").open()))
    assert list(rows[0]) == ["label1", "idx1", "label2", "idx2"] and len(rows) == 15_000
    state = np.random.RandomState(42)  # as its documentation says it draws
    for row in rows[:50]:
        a, b = (("bell", "bow", "reed")[i] for i in state.choice(3, 2, replace=False))
        assert list(row.values()) == [a, str(state.randint(6)), b, str(state.randint(6))]
    assert all(row["label1"] != row["label2"] for row in rows)


def test_the_folder_dataset_reads_them_back(audio: Path, pictures: Path) -> None:
    found = Folder(None, pictures)
    assert "bench data prepare folder" in found.missing()
    called("prepare", "folder", "--data-root", pictures)
    corpus, before = found.corpus(), Folder(None, audio).corpus()
    assert {t.id: t.split for t in corpus.tracks} == {t.id: t.split for t in before.tracks}
    assert [t.name for t in corpus.groups["all"]] == [t.name for t in before.groups["all"]]
    spec = preset("ldm")
    for track in before.tracks:
        clips = [c.load(track.id, "bow", spec.rate).samples for c in (before, corpus)]
        assert len(clips[1]) == 6 * spec.rate  # whole chunks
        first, second = (log_mel(samples[: 2 * spec.rate], spec).numpy() for samples in clips)
        floor = first.max() - 60
        error = np.abs(np.maximum(first, floor) - np.maximum(second, floor)).mean()
        assert error < 6, error  # dB; 0.3 s later it is 11 and more
    made = list(content_hashes([corpus.tracks[0].stems["bow"]]).values())
    called("prepare", "folder", "--data-root", pictures)
    assert list(content_hashes([corpus.tracks[0].stems["bow"]]).values()) == made


def noise(path: Path, number: int, seconds: float = 0.3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(number).uniform(-0.5, 0.5, round(seconds * 16000))
    sf.write(path, values, 16000)
    return path


def read_back(pictures: Path) -> Corpus:
    """What 'folder' makes of them. How they sound is another test's: noise stands for audio."""

    def distinct(chunks: Sequence[Chunk]) -> np.ndarray:
        rng = np.random.default_rng(list(chunks[0][0].tobytes()[::16]))
        return rng.uniform(-0.5, 0.5, 10_000).astype(np.float32)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectrograms, "audio_of", distinct)
        Folder(NoOptions(), pictures).prepare(lambda what, share: None)
    return Folder(NoOptions(), pictures).corpus()


def splits_of(corpus: Corpus) -> dict[str, str]:
    return {t.id: t.split for t in corpus.tracks}


def test_an_unpaired_corpus_has_the_same_tracks_and_splits(tmp_path: Path) -> None:
    """Names as they come: with spaces, with what looks like a chunk's, very long, and shared."""
    names = ["x", "A song, no. 1", "é", "b_chunk3", "n" * 240, "m" * 245, "shared"]
    for number, name in enumerate(names):
        noise(tmp_path / "audio" / "acoustic guitar" / f"{name}.wav", number)
    for number in range(5):
        noise(tmp_path / "audio" / "harp" / f"h{number}.wav", 100 + number)
    noise(tmp_path / "audio" / "harp" / "shared.wav", 99)
    out = tmp_path / "pictures"
    called("spectrograms", "folder", "--data-root", tmp_path / "audio", "--out", out)
    before = splits_of(Folder(NoOptions(), tmp_path / "audio").corpus())
    too_long = f"acoustic guitar/{'m' * 245}"
    renamed = {t for t in splits_of(read_back(out)) if t.partition("/")[2].startswith("mmmm")}
    assert len(renamed) == 1 and too_long not in renamed  # nothing else is possible
    after = splits_of(read_back(out))
    assert after[renamed.pop()] == before.pop(too_long)
    assert before.items() <= after.items() and len(after) == len(before) + 1
    (out / "splits.csv").unlink()
    assert before.items() <= splits_of(read_back(out)).items()  # by their names alone, too
    for name in ("x_chunk0", "b_chunk3_chunk0", "A song, no. 1_chunk0"):
        assert (out / "acoustic guitar" / f"{name}.png").is_file()


def test_a_split_that_is_no_hashs_comes_back(audio: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "pictures", ["--split", "train=tune0,tune1;valid=tune2"]
    called("spectrograms", "folder", "--data-root", audio, "--out", out, *said)
    expected = {"tune0": "train", "tune1": "train", "tune2": "valid"}
    assert splits_of(read_back(out)) == expected
    assert splits_of(Folder(NoOptions(), audio).corpus()) != expected
    shutil.rmtree(out / "bell")  # a folder that goes takes no split with it
    shutil.rmtree(out / "bow")
    assert splits_of(read_back(out)) == {f"reed/{id}": split for id, split in expected.items()}


def test_audio_of_pictures_is_made_side_by_side_with_one_progress(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all instruments, as it is of the recordings of one."""
    together, told = threading.Barrier(2, timeout=60), []

    def two_at_once(chunks: Sequence[Chunk]) -> np.ndarray:
        together.wait()
        assert torch.get_num_threads() == 1
        return np.full(len(chunks), 0.1, np.float32)

    monkeypatch.setattr(spectrograms, "audio_of", two_at_once)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        shutil.rmtree(pictures / "bell")  # six recordings are left, an even number
        Folder(NoOptions(), pictures).prepare(lambda what, share: told.append(share))
    finally:
        torch.set_num_threads(before)
    assert told == [pytest.approx(n / 6) for n in range(1, 7)]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ({"harp/x": "harp", "y": "harp flute"}, ["x", "y"]),
        ({"p1/001": "piano", "p2/001": "piano"}, ["p1_001-*", "p2_001-*"]),
        ({"harp/x": "harp", "flute/x": "flute"}, ["harp_x-*", "flute_x-*"]),  # are no pair
        ({".x": "harp", "a\nb": "harp"}, ["x-*", "a_b-*"]),
    ],
)
def test_names_of_pictures(ids: dict[str, str], expected: list[str]) -> None:
    tracks = [Track(id, {i: Path(i) for i in on.split()}) for id, on in ids.items()]
    named = names_of(tracks)
    assert list(named) == list(ids)
    assert all(map(fnmatch, named.values(), expected)), named


def test_an_embedded_dataset_makes_itself_first(tmp_path: Path, cache: Path) -> None:
    words = ["pieces=1", "valid_pieces=1", "test_pieces=1", "seconds=3"]
    options = [w for word in words for w in ("-o", f"starlet.{word}")]
    made_by = []
    for n in (1, 2):
        out = tmp_path / f"pictures{n}"
        few = ["--instruments", "clarinet,piano", "--out", out]
        told = called("spectrograms", "starlet", *options, *few)
        assert "of clarinet" in told and "of piano" in told
        made = {p: p.stat().st_mtime_ns for p in cache.rglob("*.flac")}
        made_by.append(made)
    assert made_by[0] == made_by[1]  # nothing is made twice
    assert set(splits_of(read_back(tmp_path / "pictures1")).values()) == set(SPLITS)


def test_midi_makes_itself_first(tmp_path: Path) -> None:
    for key in (60, 64):
        write_parts(tmp_path / "mids" / f"{key}.mid", {"": [Note(0, 1, key, 90)]})
    options = ["-o", f"midi.folder={tmp_path / 'mids'}", "-o", "midi.instruments=harp/flute"]
    assert "2 of flute, 2 of harp" in called(
        "spectrograms", "midi", *options, "--out", tmp_path / "out"
    )


def test_a_bad_recording_is_a_row_and_the_rest_goes_on(tmp_path: Path) -> None:
    for number, name in enumerate(["harp/a", "harp/b", "flute/c", "flute/d"]):
        noise(tmp_path / "audio" / f"{name}.wav", number)
    values = np.full(16000, 0.1, np.float32)
    values[8000] = np.nan
    sf.write(tmp_path / "audio" / "harp" / "bad.wav", values, 16000, subtype="FLOAT")
    (tmp_path / "audio" / "harp" / "empty.wav").touch()
    words = ["spectrograms", "folder", "--data-root", tmp_path / "audio", "--out", tmp_path / "out"]
    told = called(*words, code=1)
    assert "left out: harp/bad (harp): it holds NaN or infinite samples\n" in told
    assert "left out: harp/empty.wav: the file is empty\n" in told
    assert "2 of flute, 2 of harp are in" in told
    assert len(list(tmp_path.glob("out/*/*.png"))) == 4
    assert splits_of(read_back(tmp_path / "out")).keys() == {
        *("harp/a", "harp/b", "flute/c", "flute/d")
    }


def test_where_nothing_can_be_written_it_is_an_error(tmp_path: Path) -> None:
    noise(tmp_path / "audio" / "harp" / "a.wav", 0)
    values = np.full(16000, np.nan, np.float32)
    for name in ("a", "b"):
        path = tmp_path / "audio" / "flute" / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        sf.write(path, values, 16000, subtype="FLOAT")
    with pytest.raises(BenchError, match=r"flute\): it holds NaN") as caught:
        called("spectrograms", "folder", "--data-root", tmp_path / "audio", "--out", tmp_path / "o")
    assert "\n" not in str(caught.value) and not (tmp_path / "o").exists()


def test_what_cannot_be_used_is_left_out_with_its_reason(pictures: Path) -> None:
    (pictures / "bell" / "tune0_chunk0.png").unlink()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(pictures / "bell" / "tune1_chunk1.png")
    os.mkfifo(pictures / "bell" / "pipe.png")  # which would never end
    called("prepare", "folder", "--data-root", pictures, code=1)
    corpus = Folder(None, pictures).corpus()
    left_out = corpus.notes["left_out"]
    assert left_out["bell/tune0"] == "its picture tune0_chunk0.png is missing"
    assert "tune1_chunk1.png is no grey picture of 128 bands" in left_out["bell/tune1"]
    assert [t.id for t in corpus.tracks if "bell" in t.stems] == ["tune2"]


@pytest.mark.parametrize(
    "words, error, told",
    [
        (["--instruments", "bel,bow"], UnknownName, "Did you mean bell"),
        (["--only", "tests"], UnknownName, "Did you mean test"),
        (["--instruments", "bell"], BenchError, "only"),
    ],
)
def test_wrong_words_are_told(audio: Path, tmp_path: Path, words: list[str], error, told) -> None:
    out = tmp_path / "out"
    with pytest.raises(error, match=told):
        called("spectrograms", "folder", "--data-root", audio, "--out", out, *words)
    assert not out.exists()


def test_a_folder_in_use_is_left_alone(audio: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="there already"):
        called("spectrograms", "folder", "--data-root", audio, "--out", tmp_path)
    assert audio.exists()
