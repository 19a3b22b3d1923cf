from pathlib import Path
from typing import Any

import pytest

from timbrebench.benchmarks.config import (
    PAPER_EXAMPLES,
    QUICK_FLOPS,
    Execution,
    RunConfig,
    check,
    check_execution,
    parse_budget,
    parse_fractions,
    parse_option,
    parse_seeds,
    read_toml,
    split_list,
)
from timbrebench.core.errors import BenchError
from timbrebench.core.records import Budget


def test_the_budget_that_holds() -> None:
    assert RunConfig().spent == Budget("flops", QUICK_FLOPS)
    assert RunConfig(preset="paper").spent == Budget("examples", PAPER_EXAMPLES)
    assert RunConfig(preset="paper", budget=Budget("steps", 5)).spent == Budget("steps", 5)


def test_what_is_right_passes() -> None:
    config = RunConfig(device="cuda:1", seeds=(0, 1), max_seconds=0.5, budget=Budget("steps", 1))
    assert check(config) is config


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"preset": "papr"}, "unknown preset 'papr'. Did you mean paper"),
        ({"precision": "fp16"}, "unknown precision 'fp16'"),
        ({"device": "gpu"}, "there is no device 'gpu'. Like cpu, cuda"),
        ({"methods": ()}, "no method was named"),
        ({"seeds": ()}, "no seed was named"),
        ({"budget": Budget("steps", 0)}, "a budget of 0 steps is none"),
        ({"budget": Budget("steps", -1)}, "a budget of -1 steps is none"),
        ({"budget": Budget("flops", float("nan"))}, "a budget of nan flops is none"),
        ({"budget": Budget("flops", float("inf"))}, "a budget of inf flops is none"),
        ({"max_seconds": 0.1}, "--max-seconds is 0.1"),
        ({"max_seconds": float("nan")}, "--max-seconds is nan"),
        ({"max_seconds": float("inf")}, "--max-seconds is inf"),
    ],
)
def test_what_is_wrong_is_one_line(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(BenchError, match=told) as error:
        check(RunConfig(**fields))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"stall": -1.0}, "--stall is -1; give more than 0"),
        ({"stall": float("nan")}, "--stall is nan"),
        ({"deadline": 0.0}, "--deadline is 0"),
        ({"deadline": float("nan")}, "--deadline is nan"),
        ({"checkpoint_seconds": -5.0}, "--checkpoint-seconds is -5"),
        ({"checkpoint_seconds": float("nan")}, "--checkpoint-seconds is nan"),
        ({"gpus": "0,1,0"}, "names one twice"),
    ],
)
def test_limits_that_are_none_are_one_line(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(BenchError, match=told) as error:
        check_execution(Execution(**fields), "cuda")
    assert "\n" not in str(error.value)


def test_limits_that_are_some_pass() -> None:
    check_execution(Execution(deadline=0.5, stall=1.0, checkpoint_seconds=0.0), "cpu")
    check_execution(Execution(stall=float("inf")), "cpu")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b", ["a", "b"]),
        (" a , ,b,", ["a", "b"]),
        ("a[x=1;y=2],b", ["a[x=1;y=2]", "b"]),
        ("a[x=1,2],b", ["a[x=1,2]", "b"]),
        ("", []),
    ],
)
def test_lists(text: str, words: list[str]) -> None:
    assert split_list(text) == words


def test_options() -> None:
    assert parse_option("palette.width=32") == ("palette", "width", "32")
    assert parse_option("files.dir=a=b.c") == ("files", "dir", "a=b.c")
    for text in ("palette", "palette.width", "width=3", ".width=3", "palette.=3", ""):
        with pytest.raises(BenchError, match=r"-o takes PLUGIN.OPTION=VALUE"):
            parse_option(text)


def test_budgets() -> None:
    assert parse_budget("steps", "2000") == Budget("steps", 2000)
    assert parse_budget("flops", " 3e14 ") == Budget("flops", 3e14)
    assert parse_budget("seconds", "90") == Budget("seconds", 90)
    assert parse_budget("seconds", "90s") == Budget("seconds", 90)
    assert parse_budget("seconds", "1.5m") == Budget("seconds", 90)
    assert parse_budget("seconds", "2h") == Budget("seconds", 7200)
    for kind, text in [("steps", "many"), ("steps", "10m"), ("seconds", "10 days"), ("flops", "")]:
        with pytest.raises(BenchError, match=f"is no number of {kind}"):
            parse_budget(kind, text)


def test_seeds() -> None:
    assert parse_seeds(["0", "2", "2", "-1"]) == (0, 2, -1)
    for words in (["x"], ["1.5"], [1.5], [True]):
        with pytest.raises(BenchError, match=r"--seeds takes whole numbers"):
            parse_seeds(words)


# ---------------------------------------------------------------------------- bench.toml


def toml(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "bench.toml"
    path.write_text(text)
    return read_toml(path)


ALL = """
methods = "palette, copy[x=1;y=2]"
dataset = "starnet"
metrics = ["jaccard", "fad_logmel"]
tasks = ["clarinet:strings"]
seeds = [0, 1]
controls = false
preset = "paper"
train-time = "10m"
split = "seed=1"
data-root = "data"
device = "cuda"
precision = "fp32"
vocoder = "soundstream"
max-seconds = 5
out = "runs/x"

[options.palette]
width = 32
"""


def test_a_file_says_all_that_the_command_line_says(tmp_path: Path) -> None:
    found = toml(tmp_path, ALL)
    assert found.pop("out") == "runs/x"
    assert RunConfig(**found) == RunConfig(
        methods=("palette", "copy[x=1;y=2]"),
        dataset="starnet",
        metrics=("jaccard", "fad_logmel"),
        tasks=("clarinet:strings",),
        seeds=(0, 1),
        controls=False,
        preset="paper",
        budget=Budget("seconds", 600),
        split="seed=1",
        data_root="data",
        device="cuda",
        precision="fp32",
        vocoder="soundstream",
        max_seconds=5,
        options={"palette": {"width": 32}},
    )


def test_a_lone_seed_needs_no_list(tmp_path: Path) -> None:
    assert toml(tmp_path, "seeds = 3") == {"seeds": (3,)}
    assert toml(tmp_path, "steps = 2000") == {"budget": Budget("steps", 2000)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("methods = [", "is no TOML"),
        ("mehtods = 'x'", "unknown key of .*bench.toml: 'mehtods'. Did you mean methods"),
        ("budget = 3", "unknown key"),
        ("steps = 1\nflops = 2", "steps and flops: a cell has one budget"),
        ("steps = 'many'", "is no number of steps"),
        ("seeds = ['x']", "--seeds takes whole numbers"),
        ("seeds = 1.5", "--seeds takes whole numbers"),
        ("controls = 'no'", "controls is true or false, not 'no'"),
        ("max-seconds = 'long'", "max-seconds is a number, not 'long'"),
        ("max-seconds = true", "max-seconds is a number"),
        ("dataset = 3", "dataset is text, not '3'"),
        ("options = 3", r"options is a table for each plugin, \[options.palette\]"),
        ("[options]\nwidth = 3", "options is a table for each plugin"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BenchError, match=told) as error:
        toml(tmp_path, text)
    assert len(str(error.value).splitlines()) == 1


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"cannot read .*absent.toml: No such file"):
        read_toml(tmp_path / "absent.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BenchError, match=r"is no TOML"):
        read_toml(tmp_path / "bytes.toml")


def test_shares_of_a_budget() -> None:
    assert parse_fractions(["2/8", "0.5", "1", "1/4"]) == ("1/4", "1/2", "1")
    for wrong in ([], ["0"], ["3/2"], ["-1/4"], ["half"], ["1/0"]):
        with pytest.raises(BenchError, match="takes shares of the budget"):
            parse_fractions(wrong)


def test_whole_steps_of_a_share() -> None:
    few = RunConfig(budget=Budget("steps", 3))
    assert [few.budget_of(f, 1).amount for f in ("1/4", "1/2", "1")] == [1, 1, 3]
    assert RunConfig().budget_of("1/2", 4) == Budget("flops", 1.2e13)
    with pytest.raises(BenchError, match="what a budget is for"):
        check(RunConfig(budget_per="task"))
