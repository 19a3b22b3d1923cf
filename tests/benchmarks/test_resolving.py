"""Cells are planned by several processes as they are by one."""

import os
import sys
from typing import Any

import pytest

from timbrebench.benchmarks import resolving
from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.limits import MemoryLimits
from timbrebench.benchmarks.plan import make_plan
from timbrebench.benchmarks.records import describe
from timbrebench.benchmarks.resolving import Answers, _groups, resolve_cells
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
    told: list[Answers] = []
    resolve_cells(cells, NO_LIMITS, told.append)
    together: Answers = {key: plan for part in told for key, plan in part.items()}
    # cross and double train the same networks: one process traces them once.
    alike = [sorted(cells[key]["method"] for key in group) for group in _groups(told.append)]
    assert sorted(alike) == [["cross", "double"], ["palette"]]
    assert together == {key: Session(cell).plan(NO_LIMITS) for key, cell in cells.items()}


@pytest.mark.parametrize("cores", [1, 2])
def test_one_that_cannot_be_planned_leaves_the_others(
    cells, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cores(monkeypatch, cores)
    bad = {**cells, "bad": {**next(iter(cells.values())), "options": {"widths": "none"}}}
    told: list[Answers] = []
    resolve_cells(bad, NO_LIMITS, told.append)
    found = {key: plan for part in told for key, plan in part.items()}
    assert "error" in found.pop("bad")
    assert len(found) == 3 and all("stages" in plan for plan in found.values())


def test_each_cell_is_told_when_it_is_known(config) -> None:
    asked: RunConfig = config(
        *("regress[widths=8/8]", "regress[widths=8/16]"),
        budget=Budget("steps", 2),
        options={"regress": {"blocks": "1", "patch": "8"}},
        seeds=(0, 1),
    )
    plan = make_plan(asked, registry())
    cells = {c.key: describe(c, plan.config) for c in plan.cells}
    limits = MemoryLimits().record
    told: list[dict[str, Any]] = []
    resolve_cells(cells, limits, told.append)
    assert sorted(key for each in told for key in each) == sorted(cells)
    assert max(map(len, told)) == 1
    first = next(number for number, each in enumerate(told) if each)
    assert told[:first].count({}) > len(cells)  # corpora were read, and something was traced
    stages = [stage for each in told for a in each.values() for stage in a["stages"]]
    assert [stage["steps"] for stage in stages] == [2] * 4
    assert len({stage["flops_per_example"] for stage in stages}) == 2
    assert len({stage["key"] for stage in stages}) == 4


def test_what_was_asked_before_is_not_told_again(config) -> None:
    plan = make_plan(config("copy", "noise"), registry())
    one, two = ({c.key: describe(c, plan.config)} for c in plan.cells)
    told: list[dict[str, Any]] = []
    resolve_cells(one, MemoryLimits().record, lambda answers: None)
    resolve_cells(two, MemoryLimits().record, told.append)
    assert [key for each in told for key in each] == list(two)
