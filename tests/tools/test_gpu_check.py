"""The check of memory budgets on a GPU, as far as a machine without one can try it."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "gpu_check.py"


@pytest.fixture
def gpu_check(tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.WHEELS, module.SITE = tmp_path / "wheels", tmp_path / "site"
    return module


def test_what_is_carried_is_what_is_needed_but_torch(gpu_check: ModuleType) -> None:
    names = {requirement.partition("==")[0] for requirement in gpu_check.needs()}
    assert {"librosa", "numba", "essentia", "diffusers", "frechet-audio-distance"} <= names
    assert not {"torch", "timbrebench", "pytest", "onnx"} & names


def test_its_method_is_found_and_hides_what_it_takes(gpu_check: ModuleType) -> None:
    env = gpu_check.install()
    asked = [sys.executable, "-m", "timbrebench", "list", "methods", "--json"]
    told = subprocess.run(asked, env=env, capture_output=True, text=True, check=True).stdout
    assert "hoarder" in {row["name"] for row in json.loads(told)}
    code = (
        "import hoarder; from timbrebench.core.ways import Way;"
        "from timbrebench.core.footprint import training_peak;"
        "stage = hoarder.Hoarder(None).stages(None, ())[0];"
        "print(training_peak(stage, Way(1)), training_peak(stage, Way(1), fake=False))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    traced, taken = map(int, done.stdout.split())
    assert traced < 1000 and taken > gpu_check.HOARD


@pytest.mark.acceptance
def test_all_of_it_on_the_cpu(tmp_path: Path) -> None:
    """Enforced by a limit on the process, in place of the allocator."""
    page = tmp_path / "page.md"
    small = ["--device", "cpu", "--preset", "quick", "--budgets", "2GiB", "--train-time", "5s"]
    small += [
        "-o",
        "starlet.pieces=8",
        "-o",
        "starlet.valid_pieces=1",
        "-o",
        "starlet.test_pieces=1",
    ]
    where = ["--out", str(tmp_path / "runs"), "--result", str(page)]
    subprocess.run([sys.executable, SCRIPT, *small, *where], check=True, env=dict(os.environ))
    told = page.read_text()
    assert "| 2GiB | cross | strings | 4 |" in told and "| NO |" not in told
    assert "`hoard` ended `ok` at a micro-batch of 2 of 8, 2 times backed off" in told
    assert "enforced by: rlimit" in told
    assert "## 5s of training each" in told and "| palette |" in told
