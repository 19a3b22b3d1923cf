"""A user's own folders: pairing by name, odd names, bad files."""

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.options import NoOptions
from timbrebench.core.records import Corpus
from timbrebench.core.split_list import write_splits
from timbrebench.core.splits import assign
from timbrebench.datasets.folder import Folder
from timbrebench.testing import check_dataset


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path / "cache"))


def root_of(tmp_path: Path, *names: str, rate: int = 16000) -> Path:
    """A root with a file of distinct noise for each 'instrument/name.suffix'."""
    for number, name in enumerate(names):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, np.random.default_rng(number).uniform(-0.5, 0.5, rate // 2), rate)
    return tmp_path / "root"


def corpus_of(root: Path) -> Corpus:
    return Folder(NoOptions(), root).corpus()


def task_names(corpus: Corpus, group: str) -> list[str]:
    return [task.name for task in corpus.groups[group]]


def test_files_called_alike_are_a_track(tmp_path: Path) -> None:
    root = root_of(
        tmp_path, "piano/a.wav", "piano/b.FLAC", "harp/a.ogg", "harp/c.wav", "flute/d.mp3"
    )
    corpus = corpus_of(root)
    assert {t.id: sorted(t.stems) for t in corpus.tracks} == {
        "a": ["harp", "piano"],
        "piano/b": ["piano"],
        "harp/c": ["harp"],
        "flute/d": ["flute"],
    }
    assert task_names(corpus, "all") == ["harp:piano", "piano:harp"]  # no counterpart of flute
    assert task_names(corpus, "generate") == ["generate:flute", "generate:harp", "generate:piano"]
    assert corpus.notes == {"paired": True, "left_out": {}}
    assert corpus.track("a").seconds == pytest.approx(0.5, abs=0.05)
    assert len(corpus.load("a", "piano", 8000).samples) == 4000


@pytest.mark.parametrize("shared", [True, False])
def test_it_keeps_the_contract_of_datasets(tmp_path: Path, shared: bool) -> None:
    names = [f"{i}/{n}{'' if shared else i}.wav" for i in ("piano", "harp") for n in range(4)]
    check_dataset(Folder(NoOptions(), root_of(tmp_path, *names)))


def test_without_a_shared_name_the_corpus_is_unpaired(tmp_path: Path) -> None:
    names = [f"{i}/{i}{n}.wav" for i in ("piano", "harp") for n in range(10)]
    corpus = corpus_of(root_of(tmp_path, *names))
    assert corpus.tracks[0].id == "harp/harp0"
    assert task_names(corpus, "all") == ["harp:piano", "piano:harp"]
    for instrument in ("harp", "piano"):
        split = {t.id: t.split for t in corpus.tracks if instrument in t.stems}
        assert len(split) == 10 and split == assign(split)


def found(root: Path) -> dict[str, str]:
    """Track → split."""
    return {t.id: t.split for t in corpus_of(root).tracks}


def test_a_file_that_comes_or_goes_changes_no_other_track(tmp_path: Path) -> None:
    names = [f"{i}/{i}{n}.wav" for i in ("piano", "harp") for n in range(60)]
    root = root_of(tmp_path, *names)
    before = found(root)
    added = root / "piano" / "harp7.wav"
    sf.write(added, np.random.default_rng(1000).uniform(-0.5, 0.5, 8000), 16000)
    after = found(root)
    assert before.keys() - after.keys() == {"harp/harp7"}
    assert after.keys() - before.keys() == {"harp7"}
    assert {id: after[id] for id in before if id in after} == {
        id: split for id, split in before.items() if id != "harp/harp7"
    }
    added.unlink()
    assert found(root) == before


def test_a_list_beside_the_files_states_splits(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    names = [f"piano/{n}.wav" for n in "abcdef"] + ["harp/a.wav", f"harp/{composed}.wav"]
    root = root_of(tmp_path, *names)
    hashed = found(root)
    (root / "harp/broken.wav").write_text("no audio")
    stated = {"a": "valid", "b": "test", "gone": "test", decomposed: "valid"}
    write_splits(root, stated)
    assert found(root) == hashed | {"a": "valid", "piano/b": "test", f"harp/{composed}": "valid"}
    told = corpus_of(root).notes["left_out"]
    assert told["splits.csv: gone"] == "no usable track has this name" and len(told) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "its first line must be name,split"),
        ("track,split\n", "its first line must be name,split"),
        ("name,split\na,tests\n", "row 2: 'tests' is no split, which is train, valid or test"),
        ("name,split\n\na\n", "row 3: it has 1 cells, not 2"),
        ("name,split\na,test\na,train\n", "row 3: 'a' is in test already"),
        ('name,split\n"a,test\n', "cannot be read"),
        (b"name,split\n\xff,test\n", "cannot be read"),
        ("name,split\na.wav,test\n", "'a.wav': a track's name has neither folder nor ending"),
        ("name,split\npiano/a,test\n", "say 'a'"),
    ],
)
def test_a_list_that_cannot_be_believed_is_one_line(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    root = root_of(tmp_path, "piano/a.wav", "piano/b.wav")
    (root / "splits.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BenchError, match=r"splits\.csv") as caught:
        corpus_of(root)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_one_instrument_offers_generation_only(tmp_path: Path) -> None:
    corpus = corpus_of(root_of(tmp_path, "piano/a.wav", "piano/b.wav"))
    assert list(corpus.groups) == ["generate"]


def test_the_fingerprint_is_of_names_and_contents(tmp_path: Path) -> None:
    root = root_of(tmp_path, "piano/a.wav", "harp/a.wav")
    first = corpus_of(root).fingerprint
    moved = root.rename(tmp_path / "elsewhere")
    assert corpus_of(moved).fingerprint == first
    (moved / "piano" / "a.wav").rename(moved / "piano" / "b.wav")
    assert corpus_of(moved).fingerprint != first


def test_bad_files_and_names_are_left_out_with_their_reason(tmp_path: Path) -> None:
    root = root_of(
        tmp_path, "piano/a.wav", "piano/a.flac", "generate/a.wav", "a:b/a.wav", "x,y/a.wav"
    )
    (root / "piano" / "text.wav").write_text("no audio")
    (root / "piano" / "empty.mp3").touch()
    (root / "piano" / "line\nbreak.wav").touch()
    (root / "piano" / "notes.txt").touch()
    (root / "piano" / "._a.wav").touch()
    (root / ".hidden").mkdir()
    (root / "loose.wav").touch()
    os.mkdir(os.fsencode(root) + b"/\xff")  # noqa: PTH102 (a name that is no text)
    corpus = corpus_of(root)
    assert [t.id for t in corpus.tracks] == ["piano/a"]
    left_out = corpus.notes["left_out"]
    assert {name: reason.split(" (")[0] for name, reason in left_out.items()} == {
        "piano/a.wav": "a.flac has the same name",
        "piano/text.wav": "it cannot be read as audio",
        "piano/empty.mp3": "the file is empty",
        "piano/line\\nbreak.wav": "its name has characters that cannot be shown",
        "generate": "'generate' is a word of task names, no instrument",
        "a:b": "an instrument's name must hold none of :,;=[]@",
        "x,y": "an instrument's name must hold none of :,;=[]@",
        "\\udcff": "its name has characters that cannot be shown",
    }


def test_names_from_two_systems_are_the_same_name(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é ü -1") for form in ("NFC", "NFD"))
    corpus = corpus_of(root_of(tmp_path, f"piano/{composed}.wav", f"harp/{decomposed}.wav"))
    assert [t.id for t in corpus.tracks] == [composed]
    assert len(corpus.load(composed, "harp", 16000).samples) == 8000


def test_a_training_copy_of_a_test_track_is_left_out(tmp_path: Path) -> None:
    root = root_of(tmp_path, *[f"piano/{n}.wav" for n in range(6)])
    test = next(t for t in corpus_of(root).tracks if t.split == "test")
    train = next(t for t in corpus_of(root).tracks if t.split == "train")
    train.stems["piano"].write_bytes(test.stems["piano"].read_bytes())
    corpus = corpus_of(root)
    assert train.id not in [t.id for t in corpus.tracks]
    assert test.id in corpus.notes["left_out"][train.id]


@pytest.mark.parametrize("made", [None, "absent", "empty", "bad"])
def test_missing_data_says_where_it_looked_and_what_to_do(tmp_path: Path, made: str | None) -> None:
    root = tmp_path / made if made else None
    if root and made != "absent":
        (root / "piano").mkdir(parents=True)
    if root and made == "bad":
        (root / "piano" / "a.wav").write_text("no audio")
    with pytest.raises(MissingData, match="--data-root ROOT") as caught:
        corpus_of(root)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message and "ROOT/piano/one.wav" in message
    assert str(root or "not told") in message
    assert made != "bad" or "piano/a.wav: it cannot be read as audio" in message


def test_an_index_imports_nothing_heavy(tmp_path: Path) -> None:
    root = root_of(tmp_path, "piano/a.wav", "harp/a.wav")
    code = (
        "import sys; from pathlib import Path\n"
        "from timbrebench.core.options import NoOptions\n"
        "from timbrebench.datasets.folder import Folder\n"
        "assert not {'numpy', 'soundfile'} & set(sys.modules)\n"
        f"Folder(NoOptions(), Path({str(root)!r})).corpus()\n"
        "print(*{'torch', 'librosa', 'scipy', 'soxr', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
