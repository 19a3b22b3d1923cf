"""A run that is killed again and again ends as one that never was."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from timbrebench.testing import tiny_corpus

pytestmark = pytest.mark.acceptance

KILLS = 12
WORDS = (
    "--methods palette,copy --no-controls --steps 150 --precision fp32 --tasks bell:bow "
    "-o palette.widths=8/8/16 -o palette.batch=4 -o palette.steps=2 --checkpoint-seconds 0.2 "
    "--metrics mel_l1,fad_logmel,jaccard_melodia16k"
).split()


def command(data: Path, out: Path) -> list[str]:
    start = [sys.executable, "-m", "timbrebench", "run", "--dataset", "folder"]
    split = "valid=tune3;test=tune4,tune5"
    return [*start, "--data-root", str(data), "--split", split, "--out", str(out), *WORDS]


def test_kills_at_random_moments_change_no_score(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tiny_corpus(data)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(data, whole), check=True, capture_output=True)
    moments, kills = random.Random(0), 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            command(data, killed), stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            process.wait(moments.uniform(1.0, 5.0))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills >= 3, "it ended too soon for the kills to show anything"
    done = subprocess.run(command(data, killed), check=True, capture_output=True, text=True)
    assert "cells are done" in done.stdout
    assert scores(killed) == scores(whole)


def scores(out: Path) -> list[str]:
    """The rows of the run as text, without the run's own name."""
    lines = (out / "scores.jsonl").read_text().splitlines()
    return [line.replace(out.name, "RUN", 1) for line in lines]
