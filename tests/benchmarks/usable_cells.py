"""Cells for tests of what uses them: one that was trained by a run, and some that need no
training."""

import functools
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from usable_methods import usable_plugins

from timbrebench.benchmarks import runner, worker
from timbrebench.benchmarks.config import Execution, RunConfig
from timbrebench.benchmarks.jobs import Job, Outcome
from timbrebench.benchmarks.limits import MemoryLimits
from timbrebench.benchmarks.plan import Plan, make_plan
from timbrebench.benchmarks.records import describe
from timbrebench.benchmarks.runner import Listener
from timbrebench.benchmarks.session import Session
from timbrebench.benchmarks.store import Store
from timbrebench.core import files
from timbrebench.core.records import Budget
from timbrebench.core.registry import registry
from timbrebench.testing import tiny_corpus

TINY = {"widths": "8/8/16", "blocks": "1", "steps": "2", "batch": "4"}
FAST = {"griffinlim": {"iterations": "6"}}


@functools.cache
def corpus_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="timbrebench-tests-"))
    tiny_corpus(folder, seconds=1.5)
    return folder


class Here:
    """An executor without processes: the work of each job, done at once."""

    def run(self, jobs: Sequence[Job], listen: Listener) -> Iterator[tuple[Job, Outcome]]:
        for job in jobs:
            given = {**asdict(job), "folder": str(job.folder)}
            yield job, Outcome("ok", worker.JOBS[job.kind](given, Quiet()))

    def cancel(self) -> None:
        """It is never asked to."""


class Quiet:
    """Events that nobody listens to."""

    phase = ""

    def __call__(self, event: Mapping[str, Any]) -> None:
        pass

    enter = __call__

    def alive(self, *_: int) -> None: ...


@functools.cache
def trained_run() -> Path:
    """A run folder with a palette that was trained for three steps. Do not change it."""
    out = corpus_folder() / "run"
    result = again(out)
    assert result.exit_code == 0, result
    return out


def copied_run(folder: Path) -> Path:
    """Of :func:`trained_run`, with its times of change: it may be changed."""
    return Path(shutil.copytree(trained_run(), folder / "run", copy_function=shutil.copy2))


def again(out: Path) -> runner.Result:
    """That run into a folder, which does what is lacking there."""
    config = RunConfig(
        methods=("palette",),
        options={"palette": TINY, **FAST},
        tasks=("bell:bow",),
        budget=Budget("steps", 3),
        metrics=("level_error_db",),
        precision="fp32",
        **where(corpus_folder()),
    )
    plan = make_plan(config, registry())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "stage_plans", plans_here)
        work = runner.Runner(plan, Store(out), Here(), lambda job, event: None, Execution())
        return work.run()


def plans_here(plan: Plan, limits: MemoryLimits) -> dict[str, dict[str, Any]]:
    records = {cell.key: describe(cell, plan.config) for cell in plan.cells}
    return {key: Session(cell).plan(limits.record) for key, cell in records.items()}


def where(data: Path) -> dict[str, Any]:
    split = "valid=tune3;test=tune4,tune5"
    return {"dataset": "folder", "data_root": str(data), "split": split, "controls": False}


def cell_of(root: Path, method: str, *tasks: str, data: Path | None = None) -> Path:
    """RUN/cells/KEY of a method that trains nothing, as a run would leave it."""
    config = RunConfig(
        methods=(method,), tasks=tasks, options=FAST, **where(data or corpus_folder())
    )
    [cell] = make_plan(config, usable_plugins()).cells
    folder = root / "cells" / cell.key
    files.write_json(folder / "cell.json", {**describe(cell, config), "stages": []})
    files.write_json(folder / "result.json", {"status": "ok"})
    return folder
