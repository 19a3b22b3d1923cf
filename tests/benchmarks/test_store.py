import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from timbrebench.benchmarks.store import (
    SCHEMA,
    Store,
    cell_rows,
    file_name,
    read_or_none,
    read_run,
    stage_done,
    write_scores,
)
from timbrebench.core import files
from timbrebench.core.errors import BenchError
from timbrebench.core.results import ROW_FIELDS


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


@pytest.mark.parametrize("content", ["{", "[]", "null", "{}", '{"schema": 0}', "\xff"])
def test_a_run_file_of_another_kind_is_one_line(store: Store, content: str) -> None:
    store.root.mkdir()
    store.run_file.write_text(content, encoding="latin-1")
    with pytest.raises(BenchError, match="is damaged, or of another version of timbrebench"):
        read_run(store.root)


def test_a_folder_that_is_no_run_is_one_line(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "absent"):
        with pytest.raises(BenchError, match=r"is no run folder \(it has no run.json\)"):
            read_run(root)


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
    files.write_json(folder / "stage.json", {"sha256": sha256})
    assert stage_done(store, "k")
    (folder / "model.safetensors").write_text("weightz")
    assert not stage_done(store, "k")


def row(metric: str, value: float | None, **fields: Any) -> dict[str, Any]:
    return {"metric": metric, "task": "a:b", "item": "", "value": value, "status": "ok", **fields}


def fill(store: Store) -> None:
    """A run with one cell at two places, and one that has not begun."""
    cells = {"p[x=1]|d|a:b|0": "k", "p|d|a:b|0": "k", "q|d|a:b|0": "absent"}
    run = {"schema": SCHEMA, "config": {"seeds": [0]}, "environment": {}, "cells": cells}
    files.write_json(store.run_file, run)
    cell = {
        "label": "p",
        "method": "p",
        "dataset": "d",
        "tasks": ["a:b"],
        "seed": 3,
        "references": "r",
        "stages": ["s", "unborn"],
        "supervision": "paired",
    }
    files.write_json(store.cell("k") / "cell.json", cell)
    result = {"status": "ok", "scores": ["m.json", "absent.json"], "outcome": {"seconds": 2}}
    files.write_json(store.cell("k") / "result.json", result)
    scores = [row("m", 0.5, details={"n": 1}), row("m", None, status="failed", reason="a, b")]
    files.write_json(store.cell("k") / "scores" / "m.json", scores)
    common = {"task": "a:b", "source": "a", "target": "", "status": "ok"}
    items = [{**common, "track": "1", "file": "e/1.flac"}, {"status": "failed"}]
    files.write_json(store.cell("k") / "estimates.json", {"items": items})
    stage = {"name": "net", "steps": 9, "seconds": 1.5, "parameters": {"net": 7}}
    files.write_json(store.model("s") / "stage.json", stage)
    files.write_text(store.model("s") / "curve.jsonl", '{"step": 1, "loss": 2}\n')


def test_a_run_as_reports_see_it(store: Store) -> None:
    fill(store)
    run = read_run(store.root)
    assert [c.key for c in run.cells] == ["k", "absent"]
    done, pending = run.cells
    assert (done.label, done.seed, done.status, done.supervision) == ("p", 3, "ok", "paired")
    assert (pending.status, pending.stages) == ("pending", [])
    (item,) = done.items
    assert item.estimate == store.cell("k") / "e" / "1.flac"
    assert item.source == store.root / "references" / "r" / "a" / "1.flac"
    assert item.reference is None
    assert run.stages["s"].curve == [{"step": 1, "loss": 2}]
    assert (run.stages["s"].status, run.stages["unborn"].status) == ("ok", "unfinished")
    assert [(r["metric"], r["value"], r["cell"], r["seed"]) for r in run.rows] == [
        ("m", 0.5, "k", 3),
        ("m", None, "k", 3),
    ]


OLDER: dict[str, Any] = {
    "cells/k/cell.json": {"name": "p", "tasks": ["a:b"]},
    "cells/k/result.json": {"state": "done"},
    "cells/k/estimates.json": [{"task": "a:b", "track": "1"}],
    "models/s/stage.json": {"name": "net", "iterations": 9},
}


@pytest.mark.parametrize("name", OLDER)
def test_a_record_of_another_version_is_as_one_that_is_not_there(store: Store, name: str) -> None:
    """And says so, where a cell can."""
    fill(store)
    files.write_json(store.root / name, OLDER[name])
    run = read_run(store.root)
    cell = run.cells[0]
    if name in ("cells/k/cell.json", "cells/k/result.json"):
        assert "of another version of timbrebench: repeat the run" in cell.reason
    if name == "cells/k/result.json":
        assert cell.status == "pending"
    if name.startswith("models"):
        assert run.stages["s"].status == "unfinished"
        assert not stage_done(store, "s")
    else:
        assert cell.items == [] or name == "cells/k/result.json"


def test_rows_are_tidy_in_both_files(store: Store) -> None:
    fill(store)
    rows = list(cell_rows(store, "run", "k"))
    assert all(set(r) == set(ROW_FIELDS) for r in rows)
    write_scores(store, rows)
    lines = (store.root / "scores.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == rows
    table = list(csv.DictReader(io.StringIO((store.root / "scores.csv").read_text())))
    assert [r["value"] for r in table] == ["0.5", ""]
    assert table[1]["reason"] == "a, b"
    assert json.loads(table[0]["details"]) == {"n": 1}


def test_no_rows_are_files_too(store: Store) -> None:
    write_scores(store, [])
    assert (store.root / "scores.jsonl").read_text() == ""
    assert (store.root / "scores.csv").read_text() == ",".join(ROW_FIELDS) + "\n"
