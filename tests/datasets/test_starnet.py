"""StarNet's layouts, made small; and the real test set where it is at hand."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from timbrebench.core.errors import MissingData
from timbrebench.core.features import aligned_log_mels
from timbrebench.core.mel import preset
from timbrebench.core.records import Corpus
from timbrebench.core.splits import apply_split
from timbrebench.datasets.starnet.dataset import StarNet
from timbrebench.datasets.starnet.layout import STEMS
from timbrebench.datasets.starnet.options import Options
from timbrebench.testing import check_dataset

_DATA = Path(os.environ.get("TIMBREBENCH_TEST_DATA", Path(__file__).parents[3] / "shared/data"))
REAL = _DATA / "starnet-test"
needs_starnet = pytest.mark.skipif(not REAL.is_dir(), reason="StarNet's test set is not here")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path / "cache"))


def pieces(folder: Path, count: int, rate: int = 44100, channels: int = 2) -> Path:
    """Pieces 001 … as StarNet has them, whose stems differ by a few samples."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(folder.name))
    for piece in range(1, count + 1):
        for stem in range(6):
            samples = rng.uniform(-0.5, 0.5, (rate // 5 + 7 * stem, channels))
            sf.write(folder / f"{piece:03d}.{stem}.wav", samples, rate)
    return folder


def corpus_of(root: Path) -> Corpus:
    return StarNet(Options(), root).corpus()


def splits(corpus: Corpus) -> dict[str, str]:
    return {t.id: t.split for t in corpus.tracks}


def test_the_original_with_its_test_set(tmp_path: Path) -> None:
    pieces(tmp_path / "root" / "starnet-p1", 6)
    pieces(tmp_path / "root" / "starnet-p2", 4)
    pieces(tmp_path / "root" / "starnet-test", 3, rate=16000, channels=1)
    corpus = corpus_of(tmp_path / "root")
    assert [t.id for t in corpus.tracks if t.split == "test"] == [
        "test/001",
        "test/002",
        "test/003",
    ]
    assert sum(s == "valid" for s in splits(corpus).values()) == 1
    assert {"p1/001", "p2/001"} <= set(splits(corpus))
    assert corpus.rate == 16000
    assert corpus.instruments == tuple(sorted(name for name, _ in STEMS))


@pytest.mark.parametrize("folder", ["", "starnet-test"])
def test_one_folder_alone_is_split_by_hash(tmp_path: Path, folder: str) -> None:
    pieces(tmp_path / "some" / folder, 5, rate=16000, channels=1)
    corpus = corpus_of(tmp_path / "some")
    space = "test/" if folder else ""
    assert set(splits(corpus)) == {f"{space}00{n}" for n in range(1, 6)}
    assert sorted(splits(corpus).values()) == ["test", "train", "train", "train", "valid"]


def test_it_keeps_the_contract_of_datasets(tmp_path: Path) -> None:
    check_dataset(StarNet(Options(), pieces(tmp_path / "p", 3)))


def test_task_groups(tmp_path: Path) -> None:
    corpus = corpus_of(pieces(tmp_path / "p", 3, 16000, 1))
    names = {group: [t.name for t in tasks] for group, tasks in corpus.groups.items()}
    assert list(names) == ["single", "mixture", "single-mixed", "generate", "pair"]
    assert names["single"] == [
        "clarinet:strings",
        "strings:clarinet",
        "vibraphone:piano",
        "piano:vibraphone",
    ]
    assert names["mixture"] == [
        "clarinet+vibraphone:strings+piano",
        "strings+piano:clarinet+vibraphone",
    ]
    assert names["generate"] == [
        f"generate:{name}" for name in ("clarinet", "vibraphone", "strings", "piano")
    ]
    assert names["pair"] == ["pair:clarinet/vibraphone", "pair:strings/piano"]
    for mixed, whole in zip(corpus.groups["single-mixed"], corpus.groups["mixture"], strict=True):
        assert (mixed.source, mixed.target) == (whole.source, whole.target)
        assert "+".join(p.source for p in mixed.parts) == mixed.source
        assert "+".join(p.target for p in mixed.parts) == mixed.target
    for task in (t for tasks in corpus.groups.values() for t in tasks):
        assert corpus.tracks_together("train", *task.ends)
        if task.kind == "transfer":
            assert corpus.tracks_of("train", task.source, task.target)
    assert not corpus.tracks_of("train", "clarinet", "piano")  # they play different parts


def test_missing_and_bad_stems_leave_the_rest(tmp_path: Path) -> None:
    root = pieces(tmp_path / "p", 3, 16000, 1)
    (root / "001.4.wav").unlink()
    (root / "002.5.wav").write_text("no audio")
    (root / "readme.txt").touch()
    corpus = corpus_of(root)
    stems = {t.id: set(t.stems) for t in corpus.tracks}
    assert "strings" not in stems["001"] and "piano" not in stems["002"]
    assert stems["003"] == {name for name, _ in STEMS}
    assert list(corpus.notes["left_out"]) == ["002.5.wav"]


def test_stems_of_a_piece_are_aligned(tmp_path: Path) -> None:
    corpus = corpus_of(pieces(tmp_path / "p", 3))
    found = aligned_log_mels(corpus, corpus.tracks, ("vibraphone", "piano"), preset("soundstream"))
    assert all(a.shape == b.shape for a, b in found.values())
    assert corpus.tracks[0].seconds == pytest.approx(0.2)  # of the shortest


def test_a_test_piece_among_the_training_pieces_is_left_out(tmp_path: Path) -> None:
    part = pieces(tmp_path / "starnet-p1", 3, 16000, 1)
    test = pieces(tmp_path / "starnet-test", 2, 16000, 1)
    for stem in range(6):
        (test / f"001.{stem}.wav").write_bytes((part / f"003.{stem}.wav").read_bytes())
    corpus = corpus_of(tmp_path)
    assert set(splits(corpus)) == {"p1/001", "p1/002", "test/001", "test/002"}
    assert "test/001" in corpus.notes["left_out"]["p1/003"]


@pytest.mark.parametrize("made", [None, "absent", "empty"])
def test_missing_data_names_the_page_and_the_option(tmp_path: Path, made: str | None) -> None:
    root = tmp_path / made if made else None
    if root and made == "empty":
        root.mkdir()
    dataset = StarNet(Options(), root)
    with pytest.raises(MissingData, match="--data-root DIR, or set TIMBREBENCH_DATA") as caught:
        dataset.corpus()
    assert "https://zenodo.org/records/6917099" in str(caught.value)
    assert str(root or "not told") in str(caught.value)
    assert dataset.missing() == str(caught.value)


@needs_starnet
def test_the_real_test_set() -> None:
    corpus = corpus_of(REAL)
    assert list(splits(corpus)) == [f"{n:03d}" for n in range(1, 11)]
    assert all(len(t.stems) == 6 and t.seconds == 10 for t in corpus.tracks)
    clip = corpus.load("001", "clarinet", 16000)
    assert len(clip.samples) == 160000 and 0.01 < np.abs(clip.samples).max() <= 1
    split = apply_split(corpus, "valid=001;test=002,003")
    assert sorted(splits(split).values()) == ["test"] * 2 + ["train"] * 7 + ["valid"]


@needs_starnet
@pytest.mark.parametrize("first", [True, False])
def test_real_mixtures_hold_the_instruments_that_they_are_named_for(first: bool) -> None:
    """Two stems explain the mixture of them better than that of the other instruments."""
    corpus = corpus_of(REAL)
    mixtures = ("clarinet+vibraphone", "strings+piano")
    own, other = mixtures if first else mixtures[::-1]
    for track in corpus.tracks:
        load = {i: corpus.load(track.id, i, 16000).samples for i in track.stems}
        errors = []
        for instruments in (own, other):
            parts = np.stack([load[i] for i in instruments.split("+")], 1)
            mix, *_ = np.linalg.lstsq(parts, load[own], rcond=None)
            errors.append(np.linalg.norm(load[own] - parts @ mix))
        assert errors[0] < 0.7 * errors[1], track.id
