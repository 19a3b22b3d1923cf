"""Every system at the quick preset, with the controls: trained once, for all checks of learning.

A run of vibraphone to piano, and one of clarinet and strings both ways, so that a model's share of
the budget does not hang on the other conversion. The runs stay in runs/acceptance, where a second
call finds them done; their reports are written to docs/results/systems.md.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "runs" / "acceptance"
RESULT = ROOT / "docs" / "results" / "systems.md"
RUN_WORDS = {
    "vibraphone-piano": "--methods ldm,palette,regress,cross,ddim --dataset starlet "
    "--tasks vibraphone:piano,generate:piano",
    "clarinet-strings": "--methods ldm,palette,cross,double,ddim --dataset starlet --tasks "
    "clarinet:strings,strings:clarinet,pair:clarinet/strings,generate:clarinet,generate:strings",
}

Bench = Callable[..., str]
Values = Mapping[tuple[str, str, str], float]  # by method, task, metric


@dataclass(frozen=True)
class Systems:
    """The finished runs by name, and the values of both."""

    folders: Mapping[str, Path]
    values: Values


@pytest.fixture(scope="session")
def bench() -> Bench:
    """``bench`` in a process of its own; its standard output."""

    def call(*words: str) -> str:
        command = [sys.executable, "-m", "timbrebench", *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


@pytest.fixture(scope="session")
def runs() -> Path:
    return RUNS


@pytest.fixture(scope="session")
def systems(bench: Bench) -> Systems:
    folders, values, reports = {}, {}, []
    for name, words in RUN_WORDS.items():
        folders[name] = out = RUNS / name
        jobs = min(2, os.cpu_count() or 1)  # cells side by side: small networks fill no core pair
        bench("run", *words.split(), "--jobs", str(jobs), "--out", str(out))
        called = f"    bench run {words} --jobs {jobs}\n\n"
        reports.append(called + bench("report", str(out), "--format", "md"))
        rows = map(json.loads, (out / "scores.jsonl").read_text().splitlines())
        values |= {
            (r["method"], r["task"], r["metric"]): r["value"]
            for r in rows
            if not r["item"] and r["status"] == "ok"
        }
    RESULT.write_text("\n".join([_head(folders["vibraphone-piano"]), *reports]))
    return Systems(folders, values)


@pytest.fixture(scope="session")
def values(systems: Systems) -> Values:
    return systems.values


def _head(out: Path) -> str:
    machine = json.loads((out / "run.json").read_text())["environment"]
    return (
        "# All systems at the quick preset\n\nWritten by `make acceptance`. "
        f"timbrebench {machine['timbrebench']}, {machine['processor']}, {machine['cores']} cores, "
        f"torch {machine['packages']['torch']}.\n"
    )
