"""``bench plan``."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import click

from timbrebench.cli.console import json_option, print_json, print_table
from timbrebench.cli.run_options import (
    build,
    build_suite,
    memory_options,
    refuse_scale,
    run_options,
    suite_options,
)
from timbrebench.core.units import bytes_text

COLUMNS = ("method", "seed", "status", "stages", "steps", "batch")


@click.command("plan")
@suite_options
@run_options
@memory_options
@click.option("--calibrate", is_flag=True, help="Time a few steps of each model on the device.")
@json_option
def command(
    as_json: bool, suite: str | None, scale: str | None, calibrate: bool, **given: Any
) -> int:
    """Show what a run would do: its cells, each ready, done or impossible.

    Steps of a FLOPs budget are counted by tracing, once; a second plan is read from the cache.
    With --gpu-memory or --host-memory each stage's peak is traced, and the largest micro-batch
    that fits is shown: a batch of 4×2 is four parts of two examples; and how many slices of audio
    a network samples at once, with its peak. With --calibrate the time of
    training what is not trained yet is told, as long as one job runs at a time; estimates and
    scores come on top.
    """
    from timbrebench.benchmarks.limits import memory_limits
    from timbrebench.benchmarks.plan import make_plan
    from timbrebench.core.registry import registry

    if suite:
        built, out, execution = build_suite(suite, scale, given)
        configs = built.parts
    else:
        refuse_scale(scale)
        config, out, execution = build(given)
        configs = {"": config}
    plans = {part: make_plan(config, registry()) for part, config in configs.items()}
    device = next(iter(configs.values())).device
    limits = memory_limits(execution, device)
    memory = ("planned", "sampling") if limits else ("flops",)
    columns = (*COLUMNS, *memory, *(["training"] if calibrate else []))
    shown = {part: _shown(plan, out, limits, calibrate) for part, plan in plans.items()}
    if as_json:
        print_json(shown if suite else shown[""])
    else:
        for part, plan in plans.items():
            click.echo(f"{part}:" if suite else "", nl=bool(suite))
            print_table([_brief(row) for row in shown[part]["cells"]], columns)
            _tell(plan, shown[part])
            _tell_memory(limits, device)
    statuses = [row["status"] for known in shown.values() for row in known["cells"]]
    if all(status in ("impossible", "failed") for status in statuses):
        return 2
    return 1 if "failed" in statuses else 0


def _shown(plan: Any, out: Any, limits: Any, calibrate: bool) -> dict[str, Any]:
    from timbrebench.benchmarks.calibrating import Times, stage_seconds
    from timbrebench.benchmarks.records import asked_of
    from timbrebench.benchmarks.store import Store, VerifiedModels
    from timbrebench.benchmarks.tracing import stage_plans

    traced, store, asked = stage_plans(plan, limits), Store(out), asked_of(plan.metrics)
    models = {s["key"] for t in traced.values() for s in t.get("stages", [])}
    known_models = VerifiedModels.of(store)
    trained = {key for key in models if known_models.whole(store, key)}
    times = stage_seconds(plan, traced, trained, limits) if calibrate else Times()

    def row(cell: Any) -> dict[str, Any]:
        stages = traced.get(cell.key, {})
        done = _is_done(store, cell.key, asked, stages, trained)
        return _row(cell, stages, "done" if done else "ready", times.seconds)

    rows = [row(cell) for cell in plan.cells]
    tasks = [t.name for t in plan.cells[0].tasks]
    known = {"out": str(out), "tasks": tasks, "cells": rows, "unprepared": plan.unprepared}
    whole = {"models": len(models), "trained": len(trained), "memory": limits.record}
    if not calibrate:
        return known | whole
    return known | whole | {"train_seconds": _sum(times.seconds.values()), "untimed": times.reasons}


def _is_done(
    store: Any, cell: str, asked: list[str], traced: Mapping[str, Any], trained: set[str]
) -> bool:
    """Whether a run would do nothing for it: it is scored with just these metrics, and its models
    are there."""
    from timbrebench.benchmarks.finished import scored

    there = all(s["key"] in trained for s in traced.get("stages", []))
    return there and scored(store, cell, asked) is not None


def _row(
    cell: Any, traced: Mapping[str, Any], status: str, seconds: Mapping[str, float | None]
) -> dict[str, Any]:
    stages = traced.get("stages", [])
    broken = traced.get("status", "failed") if "error" in traced else ""
    # How many steps a time comes to is known when it is over.
    steps = [None if s["seconds"] is not None else s["steps"] for s in stages]
    flops = [
        None if n is None else float(n * s["batch_size"] * s["flops_per_example"])
        for n, s in zip(steps, stages, strict=True)
    ]
    return {
        "cell": cell.key,
        "method": cell.method.label,
        "seed": cell.seed,
        "budget": dataclasses.asdict(cell.budget) if cell.trains else None,
        "fraction": cell.fraction,
        "status": "impossible" if cell.impossible else broken or status,
        "reason": cell.impossible or traced.get("error", ""),
        "stages": [s["name"] for s in stages],
        "steps": steps,
        "batch": [s["batch_size"] for s in stages],
        "flops": _sum(flops),
        "memory": [s["memory"] for s in stages],
        "sampling": traced.get("sampling"),
        "train_seconds": _sum([seconds.get(s["key"]) for s in stages]),
    }


def _sum(seconds: Iterable[float | None]) -> float | None:
    """None where one is not known."""
    found = list(seconds)
    return sum(s or 0.0 for s in found) if found and None not in found else None


def _brief(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for people: of many stages the first, and what all have in common once."""
    brief = dict(row)
    if len(row["stages"]) > 2:
        brief["stages"] = f"{row['stages'][0]} and {len(row['stages']) - 1} more"
    brief["batch"] = [_parts(*each) for each in zip(row["batch"], row["memory"], strict=True)]
    planned = [m["planned_bytes"] for m in row["memory"]]
    if row["train_seconds"] is not None:
        brief["training"] = _duration(row["train_seconds"])
    brief["planned"] = [bytes_text(count) for count in planned if count is not None]
    brief["sampling"] = _slices(row["sampling"])
    for name in ("steps", "batch", "planned"):
        if len(set(brief[name])) == 1:
            brief[name] = brief[name][0]
    return brief


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _parts(batch: int, memory: Mapping[str, Any]) -> str:
    """A batch in words: 8, or 4×2 where it is done in parts."""
    size = memory["micro_batch"]
    parts = str(batch) if size == batch else f"{batch // size}×{size}"
    return f"{parts}, recomputed" if memory["recompute"] else parts


def _slices(sampling: Mapping[str, Any] | None) -> str:
    """'8: 1.2 GiB'; '' where nothing is planned."""
    planned = sampling and sampling["planned_bytes"]
    return f"{sampling['slices']}: {bytes_text(planned)}" if sampling and planned else ""


def _tell(plan: Any, shown: Mapping[str, Any]) -> None:
    counts = {s: len(plan.corpus.tracks_of(s)) for s in ("train", "valid", "test")}
    told = ", ".join(f"{n} {s}" for s, n in counts.items())
    click.echo(f"{plan.corpus.name}: {told} tracks; tasks {', '.join(shown['tasks'])}.")
    budget = plan.config.spent
    parts = ", ".join(plan.config.budget_fractions)
    shares = "" if parts == "1" else f", its shares {parts}"
    told = f"{budget.amount:g} {budget.kind}{shares}, {plan.config.precision}"
    click.echo(f"Budget of a {plan.config.budget_per}: {told}.")
    cells, trained = len(shown["cells"]), shown["trained"]
    there = f"; {trained} trained already" if trained else ""
    lacking = _count(shown["models"] - trained, "model")
    click.echo(f"{_count(cells, 'cell')}, {lacking} to train between them{there}.")
    if (seconds := shown.get("train_seconds")) is not None:
        click.echo(f"Training takes about {_duration(seconds)} in all, one model after the other.")
    for reason in shown.get("untimed", {}).values():
        click.echo(f"Not timed: {reason}")
    for row in shown["cells"]:
        if row["reason"]:
            click.echo(f"{row['method']}, seed {row['seed']}: {row['status']}: {row['reason']}")
    if plan.unprepared:
        click.echo(f"First, {plan.unprepared} audio files are made.")


def _tell_memory(limits: Any, device: str) -> None:
    if limits.gpu is not None:
        word = "planned for, and cannot be enforced on a CPU" if device == "cpu" else "enforced"
        click.echo(f"GPU memory of a job: {bytes_text(limits.gpu)}, {word}.")
    if limits.host is not None:
        click.echo(f"Memory of a job on the CPU: {bytes_text(limits.host)}, enforced.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
