"""How long a plan's training takes on the device that will train: a few steps of each model."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from timbrebench.benchmarks.apart import run_apart
from timbrebench.benchmarks.limits import MemoryLimits
from timbrebench.benchmarks.plan import Plan
from timbrebench.benchmarks.records import describe

if TYPE_CHECKING:
    from timbrebench.benchmarks.jobs import Outcome
    from timbrebench.core.interfaces import Stage
    from timbrebench.core.learner import Batch

DEADLINE = 600.0  # seconds for a cell's models
LEAST_SECONDS, MOST_STEPS = 2.0, 8  # of the steps that are timed


@dataclass
class Times:
    """How long stages train, by their keys."""

    seconds: dict[str, float | None] = field(default_factory=dict)  # None where it failed
    reasons: dict[str, str] = field(default_factory=dict)  # why


def stage_seconds(
    plan: Plan,
    traced: Mapping[str, Mapping[str, Any]],
    trained: Collection[str] = (),
    limits: MemoryLimits | None = None,
) -> Times:
    """Of each stage its own budget, or its steps at the speed of a few of them; nothing of those
    that are ``trained`` (keys). A model that several cells share is timed once. Steps are done
    within the ``limits`` of training, since these decide the allocator's settings too."""
    memory = (limits or MemoryLimits()).record
    found = Times(dict.fromkeys(trained, 0.0))
    for cell in plan.cells:
        stages = traced.get(cell.key, {}).get("stages", [])
        of_time = {s["key"]: s["seconds"] for s in stages if s["seconds"] is not None}
        found.seconds = of_time | found.seconds
        new = [s for s in stages if s["key"] not in found.seconds]
        if new:
            data = {"cell": describe(cell, plan.config), "stages": new, "memory": memory}
            outcome = run_apart("calibrate", data, DEADLINE)
            _add(found, new, outcome)
    return found


def _add(times: Times, stages: Sequence[Mapping[str, Any]], outcome: "Outcome") -> None:
    speeds = outcome.answer.get("seconds_per_step", {})
    failed = outcome.answer.get("failed", {})
    for stage in stages:
        key = stage["key"]
        times.seconds[key] = speeds[key] * stage["steps"] if key in speeds else None
        if key not in speeds:
            times.reasons[key] = f"{stage['name']}: {failed.get(key, outcome.reason)}"


# ---------------------------------------------------------------------------- in a worker


def timed_steps(
    stage: "Stage", memory: Mapping[str, Any], precision: str, device: str
) -> tuple[float, int]:
    """Seconds a step, and of how many steps on data of the right shapes, after one that warms
    up."""
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
    return (time.monotonic() - started) / steps, steps


def _step(learner: Any, batch: "Batch", number: int) -> None:
    """A step, and its end: a GPU is waited for."""
    *_, last = learner.step(batch, learner.recipe.lr, number)
    float(last["loss"])
