"""``bench run``."""

import dataclasses
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import click

from timbrebench.cli.console import json_option, print_json
from timbrebench.cli.run_options import (
    build,
    build_suite,
    memory_options,
    refuse_scale,
    run_options,
    suite_options,
)
from timbrebench.core.errors import CorpusChanged


@click.command("run")
@suite_options
@run_options
@memory_options
@click.option("--executor", help="local (default), or ray: on the nodes of a cluster.")
@click.option("--ray-address", help="HOST:PORT of the cluster; or RAY_ADDRESS.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Worker processes at a time, on a cluster of each node; default 1, or one a GPU.",
)
@click.option("--threads", type=click.IntRange(1), help="Of a job; default cores / jobs.")
@click.option("--gpus", help="Ids of the GPUs that jobs get, each its own: 0,1.")
@click.option("--deadline", type=float, help="Seconds that a job may take.")
@click.option("--stall", type=float, help="Seconds without a sign of life; default 600.")
@click.option("--checkpoint-seconds", type=float, help="Between two checkpoints; default 30.")
@click.option(
    "--allow-duplicates", is_flag=True, default=None, help="The same sound in two splits may be."
)
@json_option
def command(as_json: bool, suite: str | None, scale: str | None, **given: Any) -> int:
    """Train the methods, make their estimates, score them.

    Finished work is not done again: the same command goes on where it stopped, and a new method
    or metric adds only its own work.
    """
    if suite:
        return _run_suite(suite, scale, given, as_json)
    refuse_scale(scale)
    from timbrebench.benchmarks.runner import Runner

    config, out, execution = build(given)
    return _run([config], out, execution, as_json, lambda plans, *how: Runner(plans[0], *how))


def _run_suite(name: str, scale: str | None, given: dict[str, Any], as_json: bool) -> int:
    from timbrebench.benchmarks.parts import PartsRunner

    suite, out, execution = build_suite(name, scale, given)
    record = {"name": name, "scale": scale or "quick", "layout": dataclasses.asdict(suite.layout)}

    def make(plans: Any, *how: Any) -> Any:
        return PartsRunner(record, dict(zip(suite.parts, plans, strict=True)), *how)

    return _run(list(suite.parts.values()), out, execution, as_json, make)


def _run(configs: Any, out: Any, execution: Any, as_json: bool, make: Any) -> int:
    """Plans, then runs with what ``make`` makes of (plans, store, executor, listener, limits)."""
    from timbrebench.benchmarks.executors.opening import executor
    from timbrebench.benchmarks.plan import make_plan
    from timbrebench.benchmarks.store import Store
    from timbrebench.cli.progress import listener
    from timbrebench.core.registry import registry

    plans = [make_plan(config, registry()) for config in configs]
    tell = (lambda line: None) if as_json else click.echo
    with executor(execution, configs[0].device, out, tell) as runs, listener(as_json) as listen:
        result = None
        while result is None:
            runner = make(plans, Store(out), runs, listen, execution)
            _stop_by_signals(runner.cancel)
            try:
                result = runner.run()
            except CorpusChanged as changed:  # there is less of it each time
                tell(changed.what)
                plans = [make_plan(config, registry()) for config in configs]
    _tell(result, plans, out, as_json)
    return int(result.exit_code)


def _stop_by_signals(stop: Callable[[], None]) -> None:
    """Ctrl-C, a request to end, and the end of the terminal, unless the run shall outlive it
    (nohup): what is said from then on would be an error."""
    lost = [s.fileno() for s in (sys.stdout, sys.stderr) if s.isatty()]

    def hang_up(*_: Any) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in lost:
            os.dup2(nowhere, stream)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop())
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, hang_up)


def _tell(result: Any, plans: Any, out: Any, as_json: bool) -> None:
    from timbrebench.benchmarks.reading import read_ended

    own = [c.key for plan in plans for c in plan.cells]
    cells = [_as_ended(c, result) for c in read_ended(out, own)]
    if as_json:
        told = [
            {
                "cell": c.key,
                "method": c.label,
                "seed": c.seed,
                "status": c.status,
                "reason": c.reason,
            }
            for c in cells
        ]
        print_json({"run": str(out), "exit_code": result.exit_code, "cells": told})
        return
    for cell in cells:
        if cell.status != "ok":
            where = f" ({cell.phase})" if cell.phase else ""
            stays = " (what it had before stays)" if cell.key in result.kept else ""
            ended = f"{cell.status}{where}: {cell.reason}"
            click.echo(f"{cell.label}, seed {cell.seed}: {ended}{stays}")
    click.echo(f"{sum(c.status == 'ok' for c in cells)} of {len(cells)} cells are done in {out}.")
    done = any(c.status == "ok" or c.key in result.kept for c in cells)
    click.echo(f"Next: bench report {out}" if done else "The same command goes on from here.")


def _as_ended(cell: Any, result: Any) -> Any:
    """A cell as this run left it, also where its folder shows what an older one made."""
    if cell.key not in result.kept:
        return cell
    outcome = result.kept[cell.key]
    told = {"status": outcome.status, "phase": outcome.phase, "reason": outcome.reason}
    return dataclasses.replace(cell, **told)
