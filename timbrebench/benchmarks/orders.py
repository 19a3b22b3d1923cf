"""What a run orders of its workers: the jobs of its cells, with all that each is told."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timbrebench.benchmarks.config import Execution
from timbrebench.benchmarks.jobs import Job
from timbrebench.benchmarks.limits import MemoryLimits, lower_sampling, lower_stages
from timbrebench.benchmarks.plan import Cell, Plan
from timbrebench.benchmarks.records import describe, metric_record
from timbrebench.benchmarks.store import Store
from timbrebench.benchmarks.timing import stages_to_time
from timbrebench.core.overlap import AT_ONCE

ON_DEVICE = ("train", "evaluate", "calibrate", "time")  # where there is a GPU, they compute on it


@dataclass
class Orders:
    """Jobs of one run. ``stages`` and ``sampling`` are what tracing says of each cell, by key."""

    plan: Plan
    store: Store
    limits: Execution
    memory: MemoryLimits
    stages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sampling: dict[str, dict[str, Any]] = field(default_factory=dict)  # slices at once

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [metric_record(metric) for metric in self.plan.metrics]

    def train(self, cell: Cell, record: dict[str, Any], stage: dict[str, Any]) -> Job:
        data = {
            "cell": record,
            "stage": stage,
            "checkpoint_seconds": self.limits.checkpoint_seconds,
            "memory": self.memory.record,
        }
        lower = [{"stage": each} for each in lower_stages(stage)]
        label = f"{cell.method.label} · train {stage['name']}"
        needs = tuple(stage["depends"].values())
        folder = self.store.model(stage["key"])
        return self.job(stage["key"], "train", label, folder, data, needs, lower)

    def evaluate(self, cell: Cell, record: dict[str, Any]) -> Job:
        stages = self.keys(cell)
        sampling = self.sampling.get(cell.key, {"slices": AT_ONCE, "planned_bytes": None})
        data = {
            "cell": record,
            "stages": stages,
            "metrics": self.metrics,
            "sampling": sampling,
            "memory": self.memory.record,
        }
        lower = [{"sampling": each} for each in lower_sampling(sampling)]
        label = f"{cell.method.label} · evaluate"
        folder = self.store.cell(cell.key)
        needs = tuple(stages.values())
        return self.job(f"cell:{cell.key}", "evaluate", label, folder, data, needs, lower)

    def times(self, cell: Cell) -> list[Job]:
        """The steps of the models that were trained beside others, then the items, alone."""
        keys, label, folder = self.keys(cell), cell.method.label, self.store.cell(cell.key)
        stages = stages_to_time(self.store, list(keys.values()), cell.budget.kind)
        both = {"cell": describe(cell, self.plan.config), "memory": self.memory.record}
        steps = f"steps:{cell.key}"
        jobs = []
        if stages:
            data = {**both, "stages": stages}
            jobs.append(self.job(steps, "calibrate", f"{label} · time steps", folder, data))
        data = {**both, "stages": keys, "timed_stages": stages, "metrics": self.metrics}
        needs = (steps,) if stages else ()
        jobs.append(self.job(f"time:{cell.key}", "time", f"{label} · time", folder, data, needs))
        return [dataclasses.replace(job, alone=True) for job in jobs]

    def keys(self, cell: Cell) -> dict[str, str]:
        """The cell's stages: name → key."""
        return {s["name"]: s["key"] for s in self.stages.get(cell.key, [])}

    def job(
        self,
        key: str,
        kind: str,
        label: str,
        folder: Path,
        data: dict[str, Any],
        needs: tuple[str, ...] = (),
        lower: Sequence[Mapping[str, Any]] = (),
    ) -> Job:
        return Job(
            key,
            kind,
            label,
            folder,
            data,
            needs,
            gpus=int(kind in ON_DEVICE and self.plan.config.device != "cpu"),
            deadline=self.limits.deadline,
            stall=self.limits.stall,
            lower=tuple(lower),
        )
