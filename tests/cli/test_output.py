"""What commands print: one JSON document on standard output, however it is asked for."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from timbrebench.cli import main

LISTS = ["list methods", "doctor", "data list", "info palette", "plugins"]


@pytest.mark.parametrize("flag", ["--json", "--format json", "--format=json"])
@pytest.mark.parametrize("words", LISTS)
def test_json_is_one_document(words: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words.split(), *flag.split()]) in (0, 1)
    assert isinstance(json.loads(capsys.readouterr().out), list)


def test_a_list_says_what_the_issue_asks_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "methods", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert {"palette", "ldm", "copy"} <= {row["name"] for row in rows}
    assert all({"name", "distribution", "summary"} <= row.keys() for row in rows)


@pytest.mark.parametrize("flag", ["--format table", ""])
def test_a_table_is_no_json(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "methods", *flag.split()]) == 0
    told = capsys.readouterr().out
    assert "palette" in told
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(told)


def test_a_distance_that_failed_is_told_by_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        sf.write(tmp_path / side / "one.wav", 0.1 * np.ones(8000), 16000)  # under one window
    sides = ("--reference", str(tmp_path / "a"), "--estimate", str(tmp_path / "b"))
    assert main(["score", *sides, "--metrics", "fad_logmel"]) == 1
    assert "failed" in capsys.readouterr().err


def test_a_configuration_file_says_all_that_options_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bench.toml"
    file.write_text(
        'methods = ["copy"]\ntasks = "vibraphone:piano"\ncontrols = false\njobs = 2\nstall = 60\n'
        'checkpoint-seconds = 5\ndeadline = 100\nmax-seconds = 5\nmetrics = ["mel_l1"]\n'
        'seeds = [0, 1]\nsteps = 3\npreset = "quick"\nprecision = "fp32"\ndevice = "cpu"\n'
    )
    assert main(["plan", "--config", str(file), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [(c["method"], c["seed"]) for c in plan["cells"]] == [("copy", 0), ("copy", 1)]
    assert plan["tasks"] == ["vibraphone:piano"]


def test_a_plan_tells_why_a_cell_cannot_be_planned(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", "--no-controls", "--tasks", "vibraphone:piano", "--steps", "9", "--methods"]
    assert main([*words, "copy,cross[patch=3]"]) == 1
    told = capsys.readouterr().out
    assert "cross[patch=3], seed 0: failed: cross: the 128 bands" in told
    assert main([*words, "cross[patch=3]"]) == 2
