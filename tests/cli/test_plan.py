"""``bench plan``: what would be done, in memory and time."""

import json
from typing import Any

import pytest

from timbrebench.cli import main
from timbrebench.testing import tiny_corpus

pytestmark = pytest.mark.xdist_group("plan")  # what one has traced the next finds

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
    assert main([*start, *where, "--steps", "10", "--gpu-memory", f"{peak}"]) == 0
    told = capsys.readouterr().out
    assert "2×2" in told and "planned for, and cannot be enforced on a CPU" in told


@pytest.mark.parametrize(
    "words, told",
    [
        (["--gpu-memory", "8 stone"], "'8 stone' is no amount of memory. Like 8GiB"),
        (["--gpu-memory", "1/2"], "share of a card"),
        (["--host-memory", "-1GiB"], "'-1GiB' is no amount"),
    ],
)
def test_mistakes(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str], where: list[str]
) -> None:
    assert main(["plan", "--methods", "palette", *where, *words]) == 2
    assert told in capsys.readouterr().err
