"""Stage plans of a plan's cells, traced in a worker once and kept in the cache, each as it comes:
what is done when a worker is stopped is not done again."""

import functools
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timbrebench.benchmarks.apart import run_apart
from timbrebench.benchmarks.limits import MemoryLimits
from timbrebench.benchmarks.plan import Cell, Plan
from timbrebench.benchmarks.records import describe
from timbrebench.benchmarks.store import read_or_none
from timbrebench.core import files


def stage_plans(plan: Plan, limits: MemoryLimits | None = None) -> dict[str, dict[str, Any]]:
    """Cell key → {'stages': […], 'sampling': …}, or {'error': reason}, of every cell that
    trains. One that fits into no way of training has the status 'impossible', and so has any cell
    that could not be scored within a limit of the host's memory."""
    limits = limits or MemoryLimits()
    cells = [c for c in plan.cells if c.trains and not c.impossible]
    kind = plan.config.device.partition(":")[0]
    found = {c.key: kept for c in cells if (kept := read_or_none(plan_file(c, limits, kind)))}
    for group in _groups([c for c in cells if c.key not in found]):
        found |= _trace(group, plan, limits)
    return found if limits.host is None else found | _unscored(plan, limits.host, found)


def _unscored(
    plan: Plan, limit: int, found: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The cells whose scores need more than a limit, and no less than their training does."""
    from timbrebench.benchmarks.rehearsing import check_scoring

    possible = [cell.key for cell in plan.cells if not cell.impossible]
    lacking = check_scoring(plan, limit) if possible else None
    if lacking is None:
        return {}
    answer = {"error": str(lacking), "status": "impossible", "least": lacking.least}
    return {key: answer for key in possible if found.get(key, {}).get("least", 0) < lacking.least}


def _groups(cells: list[Cell]) -> list[list[Cell]]:
    """Our methods share one worker; a stranger's has its own, whatever it does there."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault("" if cell.method.ours else cell.key, []).append(cell)
    return list(groups.values())


def _trace(cells: list[Cell], plan: Plan, limits: MemoryLimits) -> dict[str, dict[str, Any]]:
    described = {c.key: describe(c, plan.config) for c in cells}
    data = {"cells": described, "memory": limits.record}
    kind = plan.config.device.partition(":")[0]
    files_of = {c.key: plan_file(c, limits, kind) for c in cells}
    found: dict[str, dict[str, Any]] = {}

    def listen(event: Mapping[str, Any]) -> None:
        for key, answer in event.get("cells", {}).items():
            found[key] = answer
            if "stages" in answer:
                _keep(files_of[key], answer)

    outcome = run_apart("resolve", data, listen=listen)
    lost = {"error": outcome.reason, "status": outcome.status, "log_tail": outcome.log_tail}
    return {key: found.get(key, lost) for key in files_of}


def plan_file(cell: Cell, limits: MemoryLimits, device: str = "cpu") -> Path:
    """Where the answer for a cell is kept. The kind of device decides what memory it needs."""
    memory = [f"-{device}-{limits.gpu}-{limits.host}"] if limits else []
    return files.cache_root() / "plans" / f"{cell.key}-{_code()}{''.join(memory)}.json"


@functools.cache
def _code() -> str:
    """Hash of what counts and divides the budget, torch among it, which makes the tensors that are
    counted: where it is another, plans are made anew."""
    core = Path(files.__file__)
    tracing = [core.with_name(f"{name}.py") for name in ("footprint", "ways", "learner", "casts")]
    own = [Path(__file__).with_name(f"{name}.py") for name in ("session", "costs", "limits")]
    return files.digest([files.digest_of_files([*tracing, *own]), _torch()])


def _torch() -> str:
    """Its version, told without importing it; '' where it has no metadata."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _keep(path: Path, value: Any) -> None:
    try:
        files.write_json(path, value)
    except OSError:
        return  # a cache that cannot be written costs time, nothing else
