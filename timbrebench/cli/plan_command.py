"""``bench plan``."""

from collections.abc import Mapping
from typing import Any

import click

from timbrebench.cli.console import json_option, print_json, print_table
from timbrebench.cli.run_options import (
    build,
    build_suite,
    refuse_scale,
    run_options,
    suite_options,
)

COLUMNS = ("method", "seed", "status", "stages", "steps", "batch", "flops")


@click.command("plan")
@suite_options
@run_options
@json_option
def command(as_json: bool, suite: str | None, scale: str | None, **given: Any) -> int:
    """Show what a run would do: its cells, each ready, done or impossible.

    Steps of a FLOPs budget are counted by tracing, once; a second plan is read from the cache.
    """
    from timbrebench.benchmarks.plan import make_plan
    from timbrebench.core.registry import registry

    if suite:
        built, out, _ = build_suite(suite, scale, given)
        configs = built.parts
    else:
        refuse_scale(scale)
        config, out, _ = build(given)
        configs = {"": config}
    plans = {part: make_plan(config, registry()) for part, config in configs.items()}
    shown = {part: _shown(plan, out) for part, plan in plans.items()}
    if as_json:
        print_json(shown if suite else shown[""])
    else:
        for part, plan in plans.items():
            click.echo(f"{part}:" if suite else "", nl=bool(suite))
            print_table([_brief(row) for row in shown[part]["cells"]], COLUMNS)
            _tell(plan, shown[part])
    statuses = [row["status"] for known in shown.values() for row in known["cells"]]
    if all(status in ("impossible", "failed") for status in statuses):
        return 2
    return 1 if "failed" in statuses else 0


def _shown(plan: Any, out: Any) -> dict[str, Any]:
    from timbrebench.benchmarks.store import Store
    from timbrebench.benchmarks.tracing import stage_plans

    traced = stage_plans(plan)
    rows = [_row(cell, traced.get(cell.key, {}), Store(out)) for cell in plan.cells]
    tasks = [t.name for t in plan.cells[0].tasks]
    models = {s["key"] for t in traced.values() for s in t.get("stages", [])}
    known = {"out": str(out), "tasks": tasks, "cells": rows, "unprepared": plan.unprepared}
    return known | {"models": len(models)}


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


def _brief(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for people: of many stages the first, and what all have in common once."""
    brief = dict(row)
    if len(row["stages"]) > 2:
        brief["stages"] = f"{row['stages'][0]} and {len(row['stages']) - 1} more"
    for name in ("steps", "batch"):
        if len(set(row[name])) == 1:
            brief[name] = row[name][0]
    return brief


def _tell(plan: Any, shown: Mapping[str, Any]) -> None:
    counts = {s: len(plan.corpus.tracks_of(s)) for s in ("train", "valid", "test")}
    told = ", ".join(f"{n} {s}" for s, n in counts.items())
    click.echo(f"{plan.corpus.name}: {told} tracks; tasks {', '.join(shown['tasks'])}.")
    budget = plan.config.spent
    click.echo(f"Budget of a cell: {budget.amount:g} {budget.kind}, {plan.config.precision}.")
    cells, models = len(shown["cells"]), shown["models"]
    click.echo(f"{_count(cells, 'cell')}, {_count(models, 'model')} to train between them.")
    for row in shown["cells"]:
        if row["reason"]:
            click.echo(f"{row['method']}, seed {row['seed']}: {row['status']}: {row['reason']}")
    if plan.unprepared:
        click.echo(f"First, {plan.unprepared} audio files are made.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
