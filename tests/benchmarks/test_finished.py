"""Whether a cell is finished is told by its files, and what is lost of it is made again."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from usable_cells import again, copied_run

from timbrebench.benchmarks.finished import damaged, remove_damaged, result_of, scored
from timbrebench.benchmarks.reading import read_run
from timbrebench.benchmarks.store import Store
from timbrebench.core import files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copied_run(tmp_path)


def key_of(root: Path) -> str:
    (cell,) = (root / "cells").iterdir()
    return cell.name


def is_scored(root: Path) -> bool:
    store, key = Store(root), key_of(root)
    return scored(store, key, result_of(store, key)["metrics"]) is not None


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def garbled(path: Path) -> None:
    """As long as before, and touched."""
    path.write_bytes(b"x" * path.stat().st_size)


DONE = ("estimates/*/*.flac", "estimates.json", "outcome.json", "scores/*.json")
LOST = {
    **{f"{name}, gone": (f"cells/*/{name}", Path.unlink) for name in DONE},
    **{f"{name}, cut": (f"cells/*/{name}", cut) for name in DONE},
    **{f"{name}, garbled": (f"cells/*/{name}", garbled) for name in DONE[1:]},
    "a reference, gone": ("references/*/*/*.flac", Path.unlink),
    "a reference, cut": ("references/*/*/*.flac", cut),
    "all references": ("references", shutil.rmtree),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_of_a_finished_cell_is_made_again(root: Path, name: str) -> None:
    pattern, lose = LOST[name]
    whole = {p: p.read_bytes() for p in root.rglob("*.flac")}
    rows = read_run(root).rows
    assert is_scored(root)
    lose(next(root.glob(pattern)))
    assert not is_scored(root)
    assert again(root).exit_code == 0
    assert is_scored(root)
    assert {p: p.read_bytes() for p in root.rglob("*.flac")} == whole
    assert read_run(root).rows == rows
    assert "damaged" not in (root / "scores.jsonl").read_text()


@pytest.mark.parametrize("copy", [shutil.copyfile, shutil.copy2])
def test_a_copied_run_is_as_finished(
    root: Path, tmp_path: Path, copy: Callable[[str, str], str]
) -> None:
    """Whatever the times of its files are then."""
    there = Path(shutil.copytree(root, tmp_path / "there", copy_function=copy))
    os.utime(there / "cells" / key_of(there) / "result.json", (0, 0))
    assert is_scored(there)


def test_a_result_that_knows_no_sizes_is_held_against_what_is_there(root: Path) -> None:
    store, key = Store(root), key_of(root)
    older = {k: v for k, v in result_of(store, key).items() if k != "files"}
    files.write_json(store.cell(key) / "result.json", older)
    assert is_scored(root)
    (store.cell(key) / "estimates.json").unlink()
    assert not is_scored(root)


def test_scores_go_with_their_evidence_and_nothing_outside_goes(tmp_path: Path) -> None:
    store = Store(tmp_path / "run")
    folder = store.cell("k")
    for name in ("scores/a.json", "scores/a.npz", "scores/b.json", "../../../outside"):
        files.write_text(folder / name, "123")
    (folder / "scores" / "b.json").write_text("[]\n")
    known = {"scores/a.json": 3, "scores/a.npz": 4, "scores/b.json": 3, "../../../outside": 9}
    files.write_json(folder / "result.json", {"status": "ok", "files": known})
    lost = damaged(store, "k", result_of(store, "k"))
    assert sorted(lost) == ["../../../outside", "scores/a.npz"]
    assert remove_damaged(store, "k")  # what is not a score
    assert sorted(p.name for p in (folder / "scores").iterdir()) == ["b.json"]
    assert (tmp_path / "outside").exists()
