"""``bench score`` in its four formats."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from timbrebench.benchmarks.score_rows import Answer, item_row
from timbrebench.cli import main, score_formats
from timbrebench.core.interfaces import Measure

RATE = 16000


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command of three pairs, one estimate of which is no audio."""
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path / "cache"))
    for seed in range(6):
        side = "reference" if seed < 3 else "estimate"
        samples = 0.1 * np.random.default_rng(seed).standard_normal(3 * RATE)
        (tmp_path / side).mkdir(exist_ok=True)
        sf.write(tmp_path / side / f"t{seed % 3}.wav", samples, RATE)
    (tmp_path / "estimate" / "t1.wav").write_bytes(b"no audio")
    sides = [f"--{side}={tmp_path / side}" for side in ("reference", "estimate")]
    return ["score", *sides, "--metrics", "level_error_db,fad_logmel"]


def test_json_and_csv_tell_the_same(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--format", "json"]) == 1  # a file failed
    told = json.loads(capsys.readouterr().out)["metrics"]
    assert main([*words, "--format", "csv"]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    of = {(r["metric"], r["item"]): r for r in rows}
    for item, value in told["level_error_db"]["items"].items():
        assert float(of["level_error_db", item]["value"]) == value
    assert of["level_error_db", "t1"]["status"] == "failed"
    assert of["level_error_db", "t1"]["value"] == ""
    assert "cannot be read" in of["level_error_db", "t1"]["reason"]
    mean = of["level_error_db", ""]
    assert (float(mean["value"]), mean["n"]) == (told["level_error_db"]["mean"], "2")
    fad = of["fad_logmel", ""]
    assert float(fad["value"]) == told["fad_logmel"]["value"]
    assert (fad["embedding"], fad["n"], fad["n_files"], fad["grey"]) == ("logmel", "6", "2", "True")


def test_markdown_is_a_table(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main([*words, "--format", "md"])
    captured = capsys.readouterr()
    heading, line, *rows = captured.out.splitlines()
    assert heading.startswith("| metric | mean |") and set(line) <= set("|-: ")
    assert {len(row.split(" | ")) for row in (heading, *rows)} == {len(heading.split(" | "))}
    assert "t1: " in captured.err and "6 vectors" in captured.err


def test_an_embedding_is_its_distances(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*words[:3], "--embedding", "logmel", "--format", "json"])
    assert set(json.loads(capsys.readouterr().out)["metrics"]) == {"fad_logmel", "kad_logmel"}


def test_an_option_of_nobody_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "-o", "fad_logmell.x=1"]) == 2
    assert "'fad_logmell'" in capsys.readouterr().err


def test_what_means_nothing_of_any_pair_has_not_failed(capsys: pytest.CaptureFixture[str]) -> None:
    row = item_row(Measure("lag"), {"t0": Answer(), "t1": Answer()}) | {"reference": "reference"}
    score_formats.show({"metrics": {"lag": row}, "unmatched": {}}, "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [r["status"] for r in rows] == ["not_applicable"] * 3
