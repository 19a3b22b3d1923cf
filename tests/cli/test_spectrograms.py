"""``bench data spectrograms``, and the way back through the dataset ``folder``."""

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from timbrebench.cli import bench
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.fingerprint import content_hashes
from timbrebench.core.mel import log_mel, preset
from timbrebench.datasets.folder import Folder
from timbrebench.testing import tiny_corpus

pytestmark = pytest.mark.usefixtures("cache")


def called(*words: object) -> str:
    done = CliRunner().invoke(bench, ["data", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


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


def test_what_cannot_be_used_is_left_out_with_its_reason(pictures: Path) -> None:
    (pictures / "bell" / "tune0_chunk0.png").unlink()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(pictures / "bell" / "tune1_chunk1.png")
    called("prepare", "folder", "--data-root", pictures)
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
