"""Plans are traced as long as there are signs of life, and kept as they come."""

import importlib.metadata
import os
from pathlib import Path

import pytest

from timbrebench.benchmarks import apart, tracing
from timbrebench.benchmarks.executors import process
from timbrebench.benchmarks.limits import MemoryLimits
from timbrebench.benchmarks.plan import make_plan
from timbrebench.benchmarks.tracing import stage_plans
from timbrebench.core.registry import Registry

HERE = Path(__file__).parent
SILENCE = 3.0  # seconds: less than the plans of four cells take


def test_a_cell_that_hangs_costs_no_other_its_plan(
    cache: Path, plugins: Registry, config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "WORKER", "strange_jobs")
    monkeypatch.setattr(process, "GRACE", 0.5)
    monkeypatch.setattr(apart, "SILENCE", SILENCE)
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    monkeypatch.setenv("HANGS_ON", "lonely")
    plan = make_plan(config("learner", "lonely", seeds=(0, 1, 2, 3)), plugins)
    found = stage_plans(plan)
    keys = [cell.key for cell in plan.cells]
    assert ["stages" in found[key] for key in keys] == [True] * 4 + [False] * 4
    assert {found[key]["status"] for key in keys[4:]} == {"timeout"}
    monkeypatch.delenv("HANGS_ON")
    again = stage_plans(plan)  # goes on: by another process, with what is not known
    assert all("stages" in again[key] for key in keys)
    assert [again[key]["by"] == found[keys[0]]["by"] for key in keys] == [True] * 4 + [False] * 4


def test_another_torch_has_plans_of_its_own(
    plugins: Registry, config, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, names = make_plan(config("learner"), plugins).cells[0], []
    for version in ("2.13.0+cpu", "2.14.0+cu130", "2.13.0+cpu"):
        monkeypatch.setattr(importlib.metadata, "version", lambda name, told=version: told)
        tracing._code.cache_clear()
        names.append(tracing.plan_file(cell, MemoryLimits()).name)
    tracing._code.cache_clear()
    assert names[0] == names[2] != names[1]
