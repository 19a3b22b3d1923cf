"""Steps are timed in the set-up of the training."""

from pathlib import Path
from typing import Any

import pytest

from timbrebench.benchmarks import calibrating
from timbrebench.benchmarks.calibrating import stage_seconds
from timbrebench.benchmarks.jobs import Outcome
from timbrebench.benchmarks.limits import MemoryLimits
from timbrebench.benchmarks.plan import make_plan
from timbrebench.core.registry import Registry

STAGE = {"key": "k", "name": "n", "steps": 30, "seconds": None}


@pytest.mark.parametrize("limits", [None, MemoryLimits(host=2**31), MemoryLimits(gpu=2**33)])
def test_steps_are_timed_within_the_limits_of_the_training(
    limits: MemoryLimits | None,
    cache: Path,
    plugins: Registry,
    config: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def run_apart(kind: str, data: dict[str, Any], deadline: float) -> Outcome:
        asked.append(data)
        return Outcome("ok", {"seconds_per_step": {"k": 0.5}})

    monkeypatch.setattr(calibrating, "run_apart", run_apart)
    plan = make_plan(config("learner"), plugins)
    traced = {cell.key: {"stages": [STAGE]} for cell in plan.cells}
    assert stage_seconds(plan, traced, limits=limits).seconds == {"k": 15.0}
    assert [data["memory"] for data in asked] == [(limits or MemoryLimits()).record]
