"""``bench compare`` on two run folders that the test writes."""

import json
from pathlib import Path

import pytest

from timbrebench.benchmarks import store as stores
from timbrebench.cli import main
from timbrebench.core import files

TASK, JD = "bell:bow", "jaccard_melodia16k"


def folder(root: Path, values: dict[str, float], label: str = "palette", print_: str = "f") -> Path:
    """A run with one cell, and a value for each track."""
    cell = {
        "label": label,
        "method": label,
        "options": {},
        "control": False,
        "supervision": "paired",
        "dataset": "folder",
        "tasks": [TASK],
        "seed": 0,
        "budget": {"kind": "steps", "amount": 1},
        "stages": [],
        "references": "r",
    }
    store = stores.Store(root)
    files.write_json(store.cell("k") / "cell.json", cell)
    rows = [_row(track, value) for track, value in values.items()]
    rows.append(_row("", sum(values.values()) / len(values)))
    files.write_json(store.cell("k") / "scores" / f"{JD}-1.json", rows)
    result = {"status": "ok", "scores": [f"{JD}-1.json"], "outcome": {}}
    files.write_json(store.cell("k") / "result.json", result)
    run = {
        "schema": stores.SCHEMA,
        "config": {},
        "environment": {},
        "corpus": {"name": "folder", "fingerprint": print_},
        "cells": {"place": "k"},
    }
    files.write_json(store.run_file, run)
    return root


def _row(item: str, value: float) -> dict:
    return {
        "metric": JD,
        "task": TASK,
        "item": item,
        "value": value,
        "unit": "",
        "higher_is_better": False,
        "n": None,
        "status": "ok",
        "reason": "",
        "reference": "target",
        "details": {},
    }


def tracks(*values: float) -> dict[str, float]:
    return {f"t{i}": value for i, value in enumerate(values)}


BASE = tracks(0.3, 0.4, 0.5, 0.6)
WORSE = tracks(0.41, 0.49, 0.61, 0.69)


def compare(*words: object) -> int:
    return main(["compare", *map(str, words)])


@pytest.mark.parametrize(
    ("values", "tolerance", "code", "verdict"),
    [
        (WORSE, 0.0, 1, "worse"),
        (WORSE, 0.2, 0, "worse within tolerance"),
        (tracks(0.2, 0.31, 0.4, 0.51), 0.0, 0, "better"),
        (tracks(0.4, 0.3, 0.6, 0.5), 0.0, 0, "not separable"),
        (BASE, 0.0, 0, "not separable"),
    ],
)
def test_the_exit_code_says_whether_the_second_is_worse(
    values: dict[str, float],
    tolerance: float,
    code: int,
    verdict: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a, b = folder(tmp_path / "a", BASE), folder(tmp_path / "b", values)
    assert compare(a, b, "--tolerance", tolerance, "--json") == code
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["method"], row["metric"], row["tracks"]) == ("palette", JD, 4)
    assert row["verdict"] == verdict


def test_the_difference_is_the_seconds_minus_the_firsts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(folder(tmp_path / "a", BASE), folder(tmp_path / "b", WORSE), "--json")
    (row,) = json.loads(capsys.readouterr().out)
    assert row["difference"] == pytest.approx(0.1)
    assert 0 < row["low"] < 0.1 < row["high"] and row["p"] == 1 / 8


def test_two_tracks_are_too_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = folder(tmp_path / "b", tracks(0.9, 0.9))
    assert compare(folder(tmp_path / "a", BASE), few) == 0
    assert "too few" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("other", [{"label": "ldm"}, {"print_": "another corpus"}])
def test_nothing_in_common_is_an_error(
    other: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    b = folder(tmp_path / "b", BASE, **other)
    assert compare(folder(tmp_path / "a", BASE), b) == 2
    assert "in common" in capsys.readouterr().err
    assert compare(tmp_path / "a", tmp_path / "none") == 2
    assert "no run folder" in capsys.readouterr().err


def test_only_the_named_metrics_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = folder(tmp_path / "a", BASE), folder(tmp_path / "b", WORSE)
    assert compare(a, b, "--metrics", JD) == 1
    assert compare(a, b, "--metrics", "mel_l1") == 2
