from pathlib import Path

import pytest

from timbrebench.benchmarks.forms import read_or_none
from timbrebench.benchmarks.store import Store, file_name, stage_done
from timbrebench.core import files
from timbrebench.core.errors import BenchError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run")


# ---------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["001", "clarinet+vibraphone", "Für_Elise.2", "a-b", "x" * 80])
def test_a_plain_name_stays(name: str) -> None:
    assert file_name(name) == name


HOSTILE = [
    *("../../etc/passwd", "a/b", "a\\b", "..", ".", "", "-rf", ".hidden", "a b", "a:b"),
    *("x" * 81, "x" * 300, "ä" * 100, "𝄞" * 100, "\n", "a\0b", "<script>"),
]


def test_any_name_is_a_safe_and_distinct_file_name() -> None:
    names = [file_name(name) for name in [*HOSTILE, "a_b", "_", "x" * 80]]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name.encode()) < 100
        assert name[0] not in ".-"
        assert not set(name) & set("/\\\0\n :<>")


# ---------------------------------------------------------------------------- writing


def test_a_folder_is_held_for_one_writer(store: Store) -> None:
    told = "another bench run is writing to"
    with store.writing(), pytest.raises(BenchError, match=told), Store(store.root).writing():
        raise AssertionError
    with store.writing():
        pass


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    tmp_path.joinpath("file").touch()
    for root in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        told = r"cannot write to .* Name another: --out DIR"
        with pytest.raises(BenchError, match=told), Store(root).writing():
            raise AssertionError


def test_a_full_disk_is_one_line(store: Store) -> None:
    with pytest.raises(BenchError, match="No space left on device"), store.writing():
        Path("/dev/full").write_text("x")


def test_another_files_error_is_not_taken_for_the_folders(store: Store, tmp_path: Path) -> None:
    """It names its own file: --out would not help."""
    (tmp_path / "file").touch()
    for strange in (tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(OSError) as error, store.writing():
            strange.read_text()
        assert error.value.filename == str(strange)
    with pytest.raises(FileExistsError), store.writing():
        (tmp_path / "file").mkdir()
    with store.writing():  # and it is free again
        pass


def test_other_errors_pass(store: Store) -> None:
    with pytest.raises(BrokenPipeError), store.writing():
        raise BrokenPipeError(32, "Broken pipe")


# ---------------------------------------------------------------------------- reading


def test_damaged_json_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1')
    assert read_or_none(tmp_path / "a.json") is None
    assert read_or_none(tmp_path / "b.json") is None


def test_a_stage_is_done_when_its_model_is_whole(store: Store) -> None:
    folder = store.model("k")
    assert not stage_done(store, "k")
    files.write_text(folder / "model.safetensors", "weights")
    assert not stage_done(store, "k")
    sha256 = files.sha256_of(folder / "model.safetensors")
    record = {"name": "net", "steps": 1, "seconds": 1.0, "parameters": {}}
    files.write_json(folder / "stage.json", record)
    assert not stage_done(store, "k")
    files.write_json(folder / "stage.json", {**record, "sha256": sha256})
    assert stage_done(store, "k")
    (folder / "model.safetensors").write_text("weightz")
    assert not stage_done(store, "k")
