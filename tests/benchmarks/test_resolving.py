"""Cells are planned by several processes as they are by one."""

import os
import sys
from typing import Any

import pytest

from timbrebench.benchmarks import resolving
from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.plan import make_plan
from timbrebench.benchmarks.records import describe
from timbrebench.benchmarks.resolving import Answers, resolved
from timbrebench.benchmarks.session import Session
from timbrebench.core.records import Budget
from timbrebench.core.registry import registry

SMALL = {"widths": "8/16", "patch": "8"}
NO_LIMITS = {"gpu": None, "host": None}


@pytest.fixture
def cells(config) -> dict[str, dict[str, Any]]:
    names = ("cross", "double", "palette")
    options = {name: dict(SMALL) for name in names}
    del options["palette"]["patch"]
    asked: RunConfig = config(*names, budget=Budget("examples", 90), options=options)
    plan = make_plan(asked, registry())
    return {c.key: describe(c, plan.config) for c in plan.cells if c.trains}


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "_sessions", {})
    monkeypatch.setattr(resolving.torch, "set_num_threads", lambda count: None)


def with_cores(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(count)))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one process traces")
def test_two_processes_plan_as_one_does(cells, monkeypatch: pytest.MonkeyPatch) -> None:
    with_cores(monkeypatch, 2)
    parts = list(resolved(cells, NO_LIMITS))
    # cross and double train the same networks: one process traces them once.
    methods = sorted(sorted(cells[key]["method"] for key in part) for part in parts)
    assert methods == [["cross", "double"], ["palette"]]
    together: Answers = {key: plan for part in parts for key, plan in part.items()}
    assert together == {key: Session(cell).plan(NO_LIMITS) for key, cell in cells.items()}


@pytest.mark.parametrize("cores", [1, 2])
def test_one_that_cannot_be_planned_leaves_the_others(
    cells, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cores(monkeypatch, cores)
    bad = {**cells, "bad": {**next(iter(cells.values())), "options": {"widths": "none"}}}
    found = {key: plan for part in resolved(bad, NO_LIMITS) for key, plan in part.items()}
    assert "error" in found.pop("bad")
    assert len(found) == 3 and all("stages" in plan for plan in found.values())
