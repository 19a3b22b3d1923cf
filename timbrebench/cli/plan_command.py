"""``bench plan``."""

from collections.abc import Mapping
from typing import Any

import click

from timbrebench.cli.console import json_option, print_json, print_table
from timbrebench.cli.run_options import build, run_options

COLUMNS = ("method", "seed", "status", "stages", "steps", "batch", "flops", "reason")


@click.command("plan")
@run_options
@json_option
def command(as_json: bool, **given: Any) -> int:
    """Show what a run would do: its cells, each ready, done or impossible.

    Steps of a FLOPs budget are counted by tracing, once; a second plan is read from the cache.
    """
    from timbrebench.benchmarks.plan import make_plan
    from timbrebench.benchmarks.store import Store
    from timbrebench.benchmarks.tracing import stage_plans
    from timbrebench.core.registry import registry

    config, out, _ = build(given)
    plan = make_plan(config, registry())
    traced = stage_plans(plan)
    rows = [_row(cell, traced.get(cell.key, {}), Store(out)) for cell in plan.cells]
    tasks = [t.name for t in plan.cells[0].tasks]
    if as_json:
        print_json({"out": str(out), "tasks": tasks, "cells": rows, "unprepared": plan.unprepared})
    else:
        print_table(rows, COLUMNS)
        _tell(plan, tasks)
    return 2 if all(c.impossible for c in plan.cells) else 0


def _row(cell: Any, traced: Mapping[str, Any], store: Any) -> dict[str, Any]:
    from timbrebench.benchmarks.store import read_or_none

    stages = traced.get("stages", [])
    result = read_or_none(store.cell(cell.key) / "result.json") or {}
    status = "done" if result.get("status") == "ok" else "ready"
    flops = sum(s["steps"] * s["batch_size"] * s["flops_per_example"] for s in stages)
    return {
        "cell": cell.key,
        "method": cell.method.label,
        "seed": cell.seed,
        "status": "impossible" if cell.impossible else "failed" if "error" in traced else status,
        "reason": cell.impossible or traced.get("error", ""),
        "stages": [s["name"] for s in stages],
        "steps": [s["steps"] for s in stages],
        "batch": [s["batch_size"] for s in stages],
        "flops": float(flops) if stages else None,
    }


def _tell(plan: Any, tasks: list[str]) -> None:
    counts = {s: len(plan.corpus.tracks_of(s)) for s in ("train", "valid", "test")}
    told = ", ".join(f"{n} {s}" for s, n in counts.items())
    click.echo(f"{plan.corpus.name}: {told} tracks; tasks {', '.join(tasks)}.")
    budget = plan.config.spent
    click.echo(f"Budget of a cell: {budget.amount:g} {budget.kind}, {plan.config.precision}.")
    if plan.unprepared:
        click.echo(f"First, {plan.unprepared} audio files are made.")
