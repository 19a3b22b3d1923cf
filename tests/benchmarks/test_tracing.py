"""Plans are traced as long as there are signs of life, and kept as they come."""

import os
from pathlib import Path

import pytest

from timbrebench.benchmarks import apart
from timbrebench.benchmarks.executors import process
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
