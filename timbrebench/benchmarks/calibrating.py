"""How long a plan's training takes on the device that will train: a few steps of each model."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from timbrebench.benchmarks.apart import run_apart
from timbrebench.benchmarks.plan import Plan
from timbrebench.benchmarks.records import describe

if TYPE_CHECKING:
    from timbrebench.core.interfaces import Stage
    from timbrebench.core.learner import Batch

DEADLINE = 600.0  # seconds for a cell's models
LEAST_SECONDS, MOST_STEPS = 2.0, 8  # of the steps that are timed


def stage_seconds(plan: Plan, traced: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """Stage key → seconds of its training: its own budget, or its steps at the speed of a few of
    them; None where these failed. A model that several cells share is timed once."""
    found: dict[str, float | None] = {}
    for cell in plan.cells:
        stages = traced.get(cell.key, {}).get("stages", [])
        found |= {s["key"]: s["seconds"] for s in stages if s["seconds"] is not None}
        new = [s for s in stages if s["key"] not in found]
        if new:
            data = {"cell": describe(cell, plan.config), "stages": new}
            answer = run_apart("calibrate", data, DEADLINE).answer
            speeds = answer.get("seconds_per_step", {})
            found |= {s["key"]: _times(speeds.get(s["key"]), s["steps"]) for s in new}
    return found


def _times(seconds: float | None, steps: int) -> float | None:
    return None if seconds is None else seconds * steps


# ---------------------------------------------------------------------------- in a worker


def seconds_per_step(
    stage: "Stage", memory: Mapping[str, Any], precision: str, device: str
) -> float:
    """Of steps on data of the right shapes, after one that warms up."""
    from timbrebench.core.learner import Learner

    batch = {k: v.to(device) for k, v in stage.specimen(stage.recipe.batch_size).items()}
    learner = Learner(
        stage,
        stage.build().to(device),
        precision=precision,
        micro_batch=memory["micro_batch"],
        recompute=memory["recompute"],
    )
    _step(learner, batch, 1)
    started, steps = time.monotonic(), 0
    while steps < MOST_STEPS and time.monotonic() - started < LEAST_SECONDS:
        steps += 1
        _step(learner, batch, steps + 1)
    return (time.monotonic() - started) / steps


def _step(learner: Any, batch: "Batch", number: int) -> None:
    """A step, and its end: a GPU is waited for."""
    *_, last = learner.step(batch, learner.recipe.lr, number)
    float(last["loss"])
