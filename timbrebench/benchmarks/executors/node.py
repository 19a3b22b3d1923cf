"""A job on a node of a cluster: looked after there as the local executor does here.

Nothing comes back through the cluster but how it ended. The answer is the file that every worker
leaves, and events are appended to a file beside it, so that neither a lost message nor a lost node
takes anything with it.
"""

import functools
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import timbrebench
from timbrebench.benchmarks.executors import process
from timbrebench.benchmarks.executors.events import append_event
from timbrebench.benchmarks.executors.process import (
    Start,
    WorkerProcess,
    as_outcome,
    attend,
    stop,
)
from timbrebench.benchmarks.jobs import Job, Outcome
from timbrebench.core import files
from timbrebench.core.hookspecs import GROUP

Told = dict[str, Any]


def do(order: Mapping[str, Any]) -> Told:
    """Sees a job through, and says how it ended; its answer is in its folder. To be interrupted,
    as Ray does for a task that is cancelled, stops its worker."""
    process.WORKER, process.GRACE = order["worker"], order["grace"]
    job = Job.from_json(order["job"])
    if wrong := unfit(order["must"]):  # it joined after the nodes were looked at
        import ray

        return {"unfit": wrong, "node": ray.get_runtime_context().get_node_id()}
    if answer := process.read_answer(job, order["id"]):
        return _told(as_outcome(answer, ""))  # by a node that was given up for lost
    events = Path(order["events"])

    def listen(job: Job, event: Mapping[str, Any]) -> None:
        append_event(events, event)

    listen(job, {"event": "started", "node": platform.node()})
    folder = order["folder"] if Path(order["folder"]).is_dir() else None
    given = order["id"], order["threads"], order["environment"], folder
    start = Start(*given, shared=not job.alone)  # it has all the cores that Ray could give others
    worker = WorkerProcess(job, start)
    try:
        while not attend([worker], listen):
            pass
    finally:
        if not worker.ended:
            stop([worker], "interrupted")
    return _told(worker.outcome())


def _told(outcome: Outcome) -> Told:
    return {**asdict(replace(outcome, answer={})), "answered": bool(outcome.answer)}


# ---------------------------------------------------------------------------- is it one of ours


def unfit(must: Mapping[str, Any]) -> str:
    """Why this node cannot do the jobs of a run; '' if it can. ``must``: what it has to be as the
    machine of the run is, and which files it has to see."""
    name = platform.node()
    for folder, sign in must["shared"].items():
        if not (Path(folder) / sign).exists():
            return f"node {name} does not share {folder}: it has to be the same folder on all nodes"
    try:
        found = what_runs_here()
    except (OSError, ValueError, subprocess.SubprocessError):
        return f"node {name} cannot start timbrebench: install it for {sys.executable}"
    for what, wanted in must["same"].items():
        if found[what] != wanted:
            return f"node {name} has {what} {found[what]}, this machine {wanted}"
    return ""


@functools.cache
def what_runs_here() -> dict[str, Any]:
    """:func:`identity`, as a worker process here has it."""
    words = [sys.executable, "-P", "-m", __name__]
    done = subprocess.run(words, capture_output=True, check=True, timeout=60, cwd=os.sep)
    return dict(json.loads(done.stdout))


def identity() -> dict[str, Any]:
    """What decides results, and has to be the same everywhere."""
    package = Path(timbrebench.__file__).parent
    found = importlib.metadata.entry_points(group=GROUP)
    plugins = {f"{e.dist.name} {e.dist.version}" for e in found if e.dist is not None}
    return {
        "timbrebench": timbrebench.__version__,
        "sources": files.digest_of_files(sorted(package.rglob("*.py"))),
        "plugins": ", ".join(sorted(plugins)),
    }


if __name__ == "__main__":
    print(json.dumps(identity()))
