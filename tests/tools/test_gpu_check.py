"""The check of memory budgets on a GPU, as far as a machine without one can try it."""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from usable_cells import Here, corpus_folder

from timbrebench.benchmarks.config import Execution, RunConfig
from timbrebench.benchmarks.plan import make_plan
from timbrebench.benchmarks.runner import Runner
from timbrebench.benchmarks.store import Store
from timbrebench.core.registry import registry

SPLIT = "valid=tune3;test=tune4,tune5"
DATA: dict[str, Any] = {"dataset": "folder", "split": SPLIT, "controls": False}
SCRIPT = Path(__file__).parents[2] / "tools" / "gpu_check.py"


@pytest.fixture
def gpu_check(tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.WHEELS, module.SITE = tmp_path / "wheels", tmp_path / "site"
    module.WEIGHTS = tmp_path / "weights"
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


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run of a control, and of three cells that ended otherwise."""
    config = RunConfig(methods=("copy",), tasks=("bell:bow",), metrics=("fad_logmel",), **DATA)
    plan = make_plan(replace(config, data_root=str(corpus_folder())), registry())
    out = tmp_path / "run"
    Runner(plan, Store(out), Here(), lambda job, event: None, Execution()).run()
    [done] = (out / "cells").iterdir()
    shown = json.loads((out / "run.json").read_text())
    ends = {
        "oom": {"status": "oom", "reason": "CUDA out of memory | 9 GiB", "outcome": {}},
        "unreached": None,
        "replaced": {"status": "ok", "outcome": {}},
    }
    for key, result in ends.items():
        folder = out / "cells" / key
        folder.mkdir()
        cell = json.loads((done / "cell.json").read_text()) | {"label": f"{key}[k=1]"}
        (folder / "cell.json").write_text(json.dumps(cell))
        if result:
            (folder / "result.json").write_text(json.dumps(result))
    shown["cells"] |= {"place 1": "oom", "place 2": "unreached"}
    (out / "run.json").write_text(json.dumps(shown))
    return out


def test_each_cell_that_is_shown_has_a_line(gpu_check: ModuleType, run_folder: Path) -> None:
    check = gpu_check.Check(asked_for(), {"TIMBREBENCH_CACHE": str(run_folder)})
    check.run = lambda name, *words: run_folder
    plans, breach, training = (list(p()) for p in (check.plans, check.breach, check.training))
    lines = [line for line in training if line.startswith("| ")][1:]
    assert [line.split(" | ")[0] for line in lines] == ["| copy", "| oom", "| unreached"]
    assert "bell:bow " in lines[0] and "failed" not in lines[0]
    told = ("`oom`: CUDA out of memory / 9 GiB", "`pending`: it was not reached")
    for line, words in zip(lines[1:], told, strict=True):
        assert f" | {words} |" in line
        assert any(f" | {words} |" in each for each in plans)
        assert f"It ended {words}" in breach


def asked_for(**changes: Any) -> argparse.Namespace:
    known = {"device": "cpu", "budgets": "4GiB", "preset": "quick", "option": []}
    return argparse.Namespace(**{**known, "train_time": "1s", **changes})


@pytest.mark.parametrize(
    ("device", "peak", "told", "over"),
    [("cuda", 900, "0.900", 0), ("cuda", 1001, "1.001", 1), ("cpu", 1001, "1.001", 0)],
)
def test_a_peak_beyond_its_plan_is_counted_on_a_gpu(
    gpu_check: ModuleType, device: str, peak: int, told: str, over: int
) -> None:
    check = gpu_check.Check(asked_for(device=device), {})
    memory = {"micro_batch": 4, "planned_bytes": 1000, "within_budget": True}
    line = check.row({**memory, "peak_allocated": peak, "host_peak_rss": peak})
    assert line.split(" | ")[-2:] == [told, "yes"] and check.over == over
    assert check.row({**memory, "peak_allocated": None}).split(" | ")[-2] == ""
    assert check.over == over


def test_ldm_needs_no_weights_that_are_not_there(gpu_check: ModuleType, tmp_path: Path) -> None:
    env = {"TIMBREBENCH_CACHE": str(tmp_path)}
    assert gpu_check.methods("paper", env)[0].endswith("guidance=1;perceptual=multiscale]")
    assert gpu_check.methods("quick", env) == list(gpu_check.METHODS)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "vggish-1.pth").touch()
    assert gpu_check.methods("paper", env) == list(gpu_check.METHODS)


def test_the_page_is_written_as_runs_end(
    gpu_check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second budget's run is killed: the breach and the first budget stand there."""
    page, names = tmp_path / "new" / "page.md", list[str]()

    def run(self: Any, name: str, *words: str) -> Path:
        names.append(name)
        if name == "plan-4GiB":
            raise KeyboardInterrupt
        return tmp_path / name

    monkeypatch.setattr(gpu_check.Check, "run", run)
    words = ["--device", "cpu", "--budgets", "8GiB,4GiB", "--result", str(page)]
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", *words])
    with pytest.raises(KeyboardInterrupt):
        gpu_check.main()
    assert names == ["breach", "plan-8GiB", "plan-4GiB"]
    assert "## A breach" in page.read_text() and "| 8GiB | no cell |" in page.read_text()
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", *words, "--only", "training"])
    assert gpu_check.main() == 0
    assert names[3:] == ["train"] and "## A breach" not in page.read_text()
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "--only", "plan"])
    with pytest.raises(SystemExit):
        gpu_check.main()


def test_a_run_that_left_nothing_is_told(gpu_check: ModuleType, tmp_path: Path) -> None:
    [cell] = gpu_check.cells(tmp_path)
    assert (cell["status"], cell["label"], cell["phases"]) == ("failed", "no cell", {})


@pytest.mark.acceptance
def test_all_of_it_on_the_cpu(tmp_path: Path) -> None:
    """Enforced by a limit on the process, in place of the allocator."""
    page = tmp_path / "page.md"
    small = ["--device", "cpu", "--preset", "quick", "--budgets", "2GiB", "--train-time", "5s"]
    where = ["--out", str(tmp_path / "runs"), "--result", str(page)]
    subprocess.run([sys.executable, SCRIPT, *small, *where], check=True, env=dict(os.environ))
    told = page.read_text()
    assert "| 2GiB | cross | strings | 4 |" in told and "| NO |" not in told
    assert "`hoard` ended `ok` at a micro-batch of 2 of 8, 2 times backed off" in told
    assert "enforced by: rlimit" in told
    assert "## 5s of training each" in told and "| palette |" in told
