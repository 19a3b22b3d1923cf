"""A run folder as it is read again, also where it is damaged or of another version."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from usable_cells import again, copied_run

from timbrebench import reports
from timbrebench.benchmarks.reading import cell_rows, read_ended, read_run, write_scores
from timbrebench.benchmarks.store import SCHEMA, Store, VerifiedModels, stage_done
from timbrebench.cli import main
from timbrebench.core import files
from timbrebench.core.errors import BenchError
from timbrebench.core.results import ROW_FIELDS


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run")


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
        ("absent", None, "k", 3),
    ]
    assert run.rows[2]["reason"] == "its scores are not there: repeat the run"
    (ended,) = read_ended(store.root, ["k"])
    assert (ended.label, ended.status, ended.items) == ("p", "ok", ())
    assert run.told == ()


def flipped(text: str) -> str:
    """With a bit of its first bracket changed: as long, and no JSON any more."""
    return chr(ord(text[0]) ^ 0x40) + text[1:]


# What is done to a file: other contents, or a field with another value ('a.b' is within a).
Damage = str | tuple[str, Any]
CELL, RESULT = "cells/*/cell.json", "cells/*/result.json"
RUN: list[Damage] = [
    *("{half", "[]", '{"schema": 0}', "[" * 100_000),
    *(("cells", None), ("cells", []), ("cells", {"place": 5}), ("cells", {"place": ["k"]})),
    *(("config", None), ("config", 5), ("environment", []), ("corpora", []), ("corpus", 5)),
    *(("corpora", {"folder": 5}), ("suite", 5), ("suite", {"scale": "quick"})),
    *(("corpus.heard", 5), ("corpus.heard", {"stems": {"bell": 5}})),
]
OTHERS: dict[str, list[Damage]] = {
    CELL: ["[1]", *((name, 5) for name in ("tasks", "stages", "options", "budget", "label"))],
    RESULT: [
        *("[1]", "{}", ("outcome", []), ("scores", 5), ("scores", [1]), ("failed_items", "x")),
        *(("outcome.chosen", 5), ("outcome.phases", {"train": 5}), ("outcome.timed", {"items": 1})),
        *(("outcome.parameters", {"net": "many"}), ("files", ["estimates.json"]), ("reason", 5)),
    ],
    "cells/*/estimates.json": ["[]", ("items", [1]), ("items", 5), ("items", [{"status": 5}])],
    "cells/*/outcome.json": ["[]", ("chosen", 5), ("train_seconds", "long")],
    "cells/*/scores/*.json": [
        *("[1]", "{}", "5", "half", '[{"metric": "m"}]', "flipped"),
        '[{"metric": "m", "task": "", "item": "", "value": "x", "status": "ok"}]',
        '[{"metric": "m", "task": "", "item": "", "value": null, "status": "ok"}]',
    ],
    "models/*/stage.json": [
        *("[1]", ("parameters", 5), ("steps", "x"), ("memory", 5), ("recipe", 5), ("sha256", 5)),
        *(("parameters", {"net": "many"}), ("memory", {"micro_batch": "x"}), ("name", None)),
    ],
    "models/*/curve.jsonl": ["flipped", "5", "[1]", '{"step": "x"}', '{"step": 1, "loss": "x"}'],
    "comparisons.json": ["[1]", '{"basis": "b", "rows": 5}', '{"basis": "b", "rows": [{}]}'],
    ".verified.json": ["[1]", '{"key": 5}', "half"],
}
CASES = [(name, damage) for name, each in OTHERS.items() for damage in each]
UNTOLD = ("cells/*/outcome.json", ".verified.json")  # reports read neither


def damage_file(path: Path, damage: Damage) -> None:
    if isinstance(damage, str):
        text = flipped(path.read_text()) if damage == "flipped" else damage
        path.write_bytes(text.encode("latin-1", "replace"))
        return
    value = files.read_json(path)
    *outer, last = damage[0].split(".")
    inner = value
    for name in outer:
        inner = inner[name]
    inner[last] = damage[1]
    if damage[1] is None:
        del inner[last]
    path.write_text(json.dumps(value))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A whole, finished run."""
    return copied_run(tmp_path)


@pytest.mark.parametrize("damage", RUN, ids=str)
def test_a_run_file_that_does_not_fit_is_refused_in_words(
    copy: Path, damage: Damage, capsys: pytest.CaptureFixture[str]
) -> None:
    damage_file(copy / "run.json", damage)
    before = (copy / "run.json").read_bytes()
    told = "is damaged, or of another version of timbrebench"
    for words in (["report"], ["show"], ["clean"], ["compare", str(copy)]):
        assert main([words[0], str(copy), *words[1:]]) == 2
        assert told in capsys.readouterr().err
    with pytest.raises(BenchError, match=told):
        again(copy)
    assert (copy / "run.json").read_bytes() == before


@pytest.mark.parametrize(("name", "damage"), CASES, ids=lambda value: str(value)[:40])
def test_what_does_not_fit_counts_as_not_there_and_is_told(
    copy: Path, name: str, damage: Damage, capsys: pytest.CaptureFixture[str]
) -> None:
    """By report and show; and bench run makes what is lacking, if it hangs on it."""
    whole = read_run(copy)
    path = next(copy.glob(name), copy / name)
    damage_file(path, damage)
    summary = reports.summarise([read_run(copy)])
    told = reports.to_markdown(summary) + json.dumps(reports.to_json(summary))
    assert main(["show", str(next(copy.glob("cells/*")))]) == 0
    shown = capsys.readouterr()
    if name not in UNTOLD:
        assert "damaged" in told
        assert "damaged" in shown.out + shown.err
    result = again(copy)
    assert result.exit_code == 0, result
    made = read_run(copy)
    if name != "models/*/curve.jsonl":  # trained weights are worth more than a picture
        assert made.told == ()
        assert [r for r in made.rows if r["status"] != "ok"] == []
        assert name != ".verified.json" or VerifiedModels.of(Store(copy)).known
    assert [(r["metric"], r["item"], r["value"]) for r in made.rows] == [
        (r["metric"], r["item"], r["value"]) for r in whole.rows
    ]
    assert [c.status for c in made.cells] == ["ok"]


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
    assert f"{name} is damaged, or of another version of timbrebench" in run.told[0]
    if name in ("cells/k/cell.json", "cells/k/result.json"):
        assert "of another version of timbrebench: repeat the run" in cell.reason
    if name == "cells/k/result.json":
        assert cell.status == "pending"
    if name.startswith("models"):
        assert run.stages["s"].status == "unfinished"
        assert not stage_done(store, "s")
    else:
        assert list(cell.items) == [] or name == "cells/k/result.json"


def test_rows_are_tidy_in_both_files(store: Store) -> None:
    fill(store)
    rows = list(cell_rows(store, "run", "k"))
    assert all(set(r) == set(ROW_FIELDS) for r in rows)
    write_scores(store, rows)
    lines = (store.root / "scores.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == rows
    table = list(csv.DictReader(io.StringIO((store.root / "scores.csv").read_text())))
    assert [r["value"] for r in table] == ["0.5", "", ""]
    assert table[1]["reason"] == "a, b"
    assert json.loads(table[0]["details"]) == {"n": 1}


def test_no_rows_are_files_too(store: Store) -> None:
    write_scores(store, [])
    assert (store.root / "scores.jsonl").read_text() == ""
    assert (store.root / "scores.csv").read_text() == ",".join(ROW_FIELDS) + "\n"
