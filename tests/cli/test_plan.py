"""``bench plan``: what would be done, in memory and time."""

import json
from pathlib import Path
from typing import Any

import pytest

from timbrebench.cli import main
from timbrebench.core import files
from timbrebench.testing import tiny_corpus

TINY = "-o palette.widths=8/8/16 -o palette.blocks=1 -o palette.batch=4 --precision fp32".split()


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("corpus")
    tiny_corpus(folder)
    split = "valid=tune3;test=tune4,tune5"
    out = str(folder / "run")
    return ["--dataset", "folder", "--data-root", str(folder), "--split", split, "--out", out]


def plan(capsys: pytest.CaptureFixture[str], where: list[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    start = ["plan", "--methods", "palette", "--no-controls", "--tasks", "bell:bow,bow:bell"]
    main([*start, *TINY, *where, *words, "--json"])
    return json.loads(capsys.readouterr().out)


def test_the_time_of_each_model_adds_up(
    capsys: pytest.CaptureFixture[str], where: list[str]
) -> None:
    told = plan(capsys, where, "--steps", "10", "--seeds", "0,1", "--calibrate")
    of_cells = [cell["train_seconds"] for cell in told["cells"]]
    assert told["models"] == 4 and min(of_cells) > 0
    assert told["train_seconds"] == pytest.approx(sum(of_cells))
    assert "train_seconds" not in plan(capsys, where, "--steps", "10")


def test_of_a_budget_of_time_no_step_is_done(
    capsys: pytest.CaptureFixture[str], where: list[str]
) -> None:
    told = plan(capsys, where, "--train-time", "90s", "--calibrate")
    assert told["train_seconds"] == pytest.approx(90)


def test_a_smaller_budget_of_memory_takes_smaller_parts(
    capsys: pytest.CaptureFixture[str], where: list[str]
) -> None:
    plain = plan(capsys, where, "--steps", "10")
    assert plain["memory"] == {"gpu": None, "host": None}
    assert [m["planned_bytes"] for m in plain["cells"][0]["memory"]] == [None, None]
    large = plan(capsys, where, "--steps", "10", "--gpu-memory", "1GiB")
    sizes = [m["micro_batch"] for m in large["cells"][0]["memory"]]
    needed = large["cells"][0]["memory"][0]["planned_bytes"]
    less = f"{needed - 1}B"
    small = plan(capsys, where, "--steps", "10", "--gpu-memory", less)
    assert sizes == [4, 4]
    assert all(m["micro_batch"] < 4 for m in small["cells"][0]["memory"])
    assert all(0 < m["planned_bytes"] < needed for m in small["cells"][0]["memory"])


def test_the_table_tells_parts(capsys: pytest.CaptureFixture[str], where: list[str]) -> None:
    needed = plan(capsys, where, "--steps", "10", "--gpu-memory", "1GiB")
    peak = needed["cells"][0]["memory"][0]["planned_bytes"] - 1
    start = ["plan", "--methods", "palette", "--no-controls", "--tasks", "bell:bow", *TINY]
    assert main([*start, *where, "--steps", "10", "--gpu-memory", f"{peak}B"]) == 0
    told = capsys.readouterr().out
    assert "2×2" in told and "planned for, and cannot be enforced on a CPU" in told


def test_what_is_done_is_neither_timed_nor_called_ready(
    capsys: pytest.CaptureFixture[str], where: list[str], tmp_path: Path
) -> None:
    """As a run leaves it: two models and a result, scored with one metric."""
    where = [*where[:-1], str(tmp_path)]
    words = ["--train-time", "90s", "--metrics", "mel_l1"]
    before = plan(capsys, where, *words, "--calibrate")
    (cell,) = before["cells"]
    assert (cell["status"], before["trained"], before["train_seconds"]) == ("ready", 0, 90)
    (kept,) = (files.cache_root() / "plans").glob(f"{cell['cell']}-*.json")
    models = [tmp_path / "models" / stage["key"] for stage in files.read_json(kept)["stages"]]
    for folder in models:
        files.write_text(folder / "model.safetensors", "weights")
        sha256 = files.sha256_of(folder / "model.safetensors")
        record = {"name": "net", "steps": 1, "seconds": 1.0, "parameters": {}}
        files.write_json(folder / "stage.json", {**record, "sha256": sha256})
    metric = {"name": "mel_l1", "values": {}, "inputs": []}
    result = {"status": "ok", "metrics": [files.digest(metric)], "files": {}}
    files.write_json(tmp_path / "cells" / cell["cell"] / "result.json", result)
    after = plan(capsys, where, *words, "--calibrate")
    assert (after["cells"][0]["status"], after["models"], after["trained"]) == ("done", 2, 2)
    assert after["train_seconds"] == 0
    other = plan(capsys, where, *words[:3], "level_error_db")
    assert other["cells"][0]["status"] == "ready"
    (models[0] / "model.safetensors").write_text("damaged")
    damaged = plan(capsys, where, *words, "--calibrate")
    assert (damaged["cells"][0]["status"], damaged["trained"]) == ("ready", 1)
    assert damaged["train_seconds"] == 45


@pytest.mark.parametrize(
    "words, told",
    [
        (["--gpu-memory", "8 stone"], "'8 stone' is no amount of memory. Like 8GiB"),
        (["--gpu-memory", "1/2"], "share of a card"),
        (["--gpu-memory", "2"], "'2' is no amount of memory: it has no unit. Like 8GiB"),
        (["--gpu-memory", "0.0000000001B"], "'0.0000000001B' is no amount of memory"),
        (["--host-memory", "-1GiB"], "'-1GiB' is no amount"),
    ],
)
def test_mistakes(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str], where: list[str]
) -> None:
    assert main(["plan", "--methods", "palette", *where, *words]) == 2
    assert told in capsys.readouterr().err
