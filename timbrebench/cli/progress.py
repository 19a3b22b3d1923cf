"""A run's progress: a live display on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from timbrebench.benchmarks.jobs import Job

Listen = Callable[[Job, Mapping[str, Any]], None]
LINE_SECONDS = 10.0  # between two plain lines of one job


@contextlib.contextmanager
def listener(quiet: bool = False) -> Iterator[Listen]:
    if quiet:
        yield lambda job, event: None
    elif sys.stdout.isatty():
        with _live() as listen:
            yield listen
    else:
        yield _Lines()


class _Lines:
    def __init__(self) -> None:
        self.told: dict[str, float] = {}

    def __call__(self, job: Job, event: Mapping[str, Any]) -> None:
        kind, now = event["event"], time.monotonic()
        if kind == "step" and now - self.told.get(job.key, 0) > LINE_SECONDS:
            self.told[job.key] = now
            click.echo(f"{job.label}: {_step(event)}")
        elif kind == "started":
            self.told[job.key] = now
            click.echo(f"{job.label}: started{_where(event)}")
        elif kind == "ended":
            reason = f" ({event['reason']})" if event["reason"] else ""
            click.echo(f"{job.label}: {event['status']}{reason}")
        elif kind == "resumed":
            click.echo(f"{job.label}: goes on at step {event['step']}")
        elif kind == "lowered":
            click.echo(f"{job.label}: out of memory, once more with less ({event['reason']})")
        elif kind in _CLUSTER:
            click.echo(f"{job.label}: {_CLUSTER[kind]} ({event['reason']})")


# What only happens on a cluster.
_CLUSTER = {"retried": "its node was lost, once more", "stuck": "waits for a node"}


def _where(event: Mapping[str, Any]) -> str:
    return f" on {event['node']}" if event.get("node") else ""


def _step(event: Mapping[str, Any]) -> str:
    loss = "" if event["loss"] is None else f", loss {event['loss']:.4f}"
    steps = "" if event["steps"] is None else f"/{event['steps']}"
    left = event["seconds"] * (1 - event["share"]) / max(event["share"], 1e-9)
    speed = f"{event['examples_per_second']:.1f} examples/s"
    return f"step {event['step']}{steps}{loss}, {speed}, {left:.0f} s left"


@contextlib.contextmanager
def _live() -> Iterator[Listen]:
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[what]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        bars: dict[str, Any] = {}

        def listen(job: Job, event: Mapping[str, Any]) -> None:
            bar = bars.get(job.key)
            if bar is None:
                bar = bars[job.key] = progress.add_task(job.label, total=1.0, what="")
            kind = event["event"]
            if kind == "step":
                progress.update(bar, completed=event["share"], what=_step(event))
            elif kind == "progress":
                progress.update(bar, completed=event["share"], what=event["what"])
            elif kind == "phase":
                progress.update(bar, what=event["phase"])
            elif kind == "lowered":
                progress.update(bar, what="out of memory, once more with less")
            elif kind in _CLUSTER:
                progress.update(bar, what=_CLUSTER[kind])
            elif kind == "ended":
                reason = f": {event['reason']}" if event["reason"] else ""
                progress.update(bar, completed=1.0, what=f"{event['status']}{reason}")

        yield listen
