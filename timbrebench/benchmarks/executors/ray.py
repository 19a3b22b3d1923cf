"""Jobs on a Ray cluster: Ray chooses where; a folder that all nodes share carries the rest."""

import contextlib
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timbrebench.benchmarks.executors import process
from timbrebench.benchmarks.executors.events import EventsFile
from timbrebench.benchmarks.executors.node import identity
from timbrebench.benchmarks.executors.queue import QueueExecutor
from timbrebench.benchmarks.executors.ray_link import Link, checked_address, reach
from timbrebench.benchmarks.jobs import Job, Listener, Outcome
from timbrebench.core import files
from timbrebench.core.errors import BenchError

RETRIES = 3  # of a job whose node was lost
PATIENCE = 90.0  # seconds that an answer may take to be seen: NFS remembers what was not there
AT_ONCE = 10_000  # jobs that the cluster is handed: it starts those that fit
FORCE_SECONDS = 5.0  # that a task has to end which was ended by force


@dataclass
class _Order:
    """A job that the cluster has."""

    job: Job
    id: str
    events: EventsFile
    begun: bool = False
    lost: int = 0  # how often its node was
    end: Mapping[str, Any] | None = None  # as the cluster told it

    def outcome(self, interrupted: bool = False) -> Outcome:
        self.events.remove()
        told = dict((self.end or {}).get("ended", {}))
        answered = bool(told.pop("answered", False))
        if interrupted:
            status, reason = process.INTERRUPTED
            return Outcome(status, reason=reason)
        if answer := self._answer(PATIENCE if answered else 0):
            return process.as_outcome(answer, told.get("log_tail", ""))
        return Outcome(**told) if told else _outcome(self.end or {}, self.lost)

    def _answer(self, seconds: float) -> dict[str, Any] | None:
        """Waited for where it has to be there."""
        end = time.monotonic() + seconds
        while (answer := process.read_answer(self.job, self.id)) is None:
            if time.monotonic() >= end:
                return None
            time.sleep(0.2)
        return answer


def _outcome(end: Mapping[str, Any], lost: int) -> Outcome:
    """Of a job that nobody saw through to its end."""
    if "lost" in end:
        return Outcome("killed", reason=f"its node was lost {lost} times: {end['lost']}")
    if "oom" in end:
        return Outcome("oom", reason=f"its node ran out of memory: {end['oom']}")
    if "gone" in end:
        return Outcome("killed", reason=f"the cluster was lost: {end['gone']}")
    return Outcome("failed", reason=str(end.get("failed", "the cluster cancelled it")))


class RayExecutor(QueueExecutor[_Order]):
    """Runs jobs on a cluster, with ``threads`` cores each, as many at a time as it has room for."""

    def __init__(self, link: Link, must: Mapping[str, Any], threads: int) -> None:
        super().__init__()
        self.link, self.must, self.threads = link, must, threads
        self.stopping = False
        own = {name: v for name, v in os.environ.items() if name.startswith("TIMBREBENCH_")}
        cache = str(files.cache_root().absolute())
        self.environment = own | {"TIMBREBENCH_CACHE": cache}

    def room(self, running: Sequence[_Order]) -> int:
        return AT_ONCE - len(running)

    def start(self, job: Job, running: Sequence[_Order], listen: Listener) -> _Order:
        path = job.folder.absolute() / f"{job.kind}.events.jsonl"
        order = _Order(job, uuid.uuid4().hex, EventsFile(path))
        self._submit(order)
        return order

    def _submit(self, order: _Order) -> None:
        threads = order.job.threads or self.threads
        told = {
            "id": order.id,
            "job": order.job.to_json(),
            "threads": threads,
            "events": str(order.events.path),
            "environment": self.environment,
            "folder": str(Path.cwd()),
            "must": self.must,
            "worker": process.WORKER,
            "grace": process.GRACE,
        }
        request = {"do": "submit", "id": order.id, "order": told}
        needs = {"cpus": threads, "gpus": order.job.gpus, "alone": order.job.alone}
        self.link.say({**request, **needs})

    def wait(self, running: Sequence[_Order], listen: Listener) -> list[_Order]:
        by_id = {order.id: order for order in running}
        for reply in self.link.hear(0.2):
            if order := by_id.get(reply.get("id", "")):
                self._take(order, reply, listen)
        for order in running:
            for event in order.events.new():
                order.begun = True
                listen(order.job, event)
            if self.link.gone and order.end is None:
                order.end = {"gone": f"{self.link.gone} ({self.link.log})"}
        return [order for order in running if order.end is not None]

    def _take(self, order: _Order, reply: Mapping[str, Any], listen: Listener) -> None:
        if "stuck" in reply:
            if not order.begun:
                listen(order.job, {"event": "stuck", "reason": reply["stuck"]})
            return
        order.lost += "lost" in reply
        done = process.read_answer(order.job, order.id) is not None
        if "lost" not in reply or done or order.lost > RETRIES or self.stopping:
            order.end = reply
            return
        listen(order.job, {"event": "retried", "reason": reply["lost"]})
        self._submit(order)

    def stop(self, running: Sequence[_Order]) -> list[_Order]:
        """First by asking, which lets nodes stop their workers as a whole; then by force."""
        self.stopping = True  # what is lost now is not wanted again
        for force, seconds in ((False, 2 * process.GRACE + FORCE_SECONDS), (True, FORCE_SECONDS)):
            for order in running:
                if order.end is None:
                    self.link.say({"do": "cancel", "id": order.id, "force": force})
            end = time.monotonic() + seconds
            while any(order.end is None for order in running) and time.monotonic() < end:
                self.wait(running, lambda job, event: None)
        for order in running:
            order.events.remove()
        self.stopping = False
        return [order for order in running if order.begun]


# ---------------------------------------------------------------------------- a cluster for a run


@contextlib.contextmanager
def on_cluster(
    address: str, root: Path, jobs: int, threads: int, gpu: bool
) -> Iterator[tuple[RayExecutor, str]]:
    """An executor on the cluster, and what it is in a line; BenchError where it cannot be used.

    ``root``: the run folder, which all nodes have to share, as they have to share the cache.
    ``jobs`` at a time on the smallest node (0: one, or one a GPU), ``threads`` each (0: as many as
    this leaves).
    """
    address = checked_address(address)
    reach(address)  # before a folder is made for it
    shared = (root.absolute(), files.cache_root().absolute())
    with _signs(shared) as signs:
        link = Link(address, root / "jobs" / "ray" / "log.txt")
        try:
            must = {"shared": signs, "same": identity()}
            nodes = link.nodes(must)
            threads = threads_of(nodes, jobs, threads, gpu)
            yield RayExecutor(link, must, threads), _told(address, nodes, threads)
        finally:
            link.close()


@contextlib.contextmanager
def _signs(folders: Sequence[Path]) -> Iterator[dict[str, str]]:
    """A file in each folder by which a node knows that it is the same folder."""
    sign = f".shared-{uuid.uuid4().hex}"
    try:
        for folder in folders:
            _leave(folder, sign)
        yield {str(folder): sign for folder in folders}
    finally:
        for folder in folders:
            with contextlib.suppress(OSError):
                (folder / sign).unlink()


def _leave(folder: Path, sign: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / sign).touch()
    except OSError as error:
        raise BenchError(
            f"cannot write to {folder}: {error.strerror}.",
            hint="Name another: --out DIR, or TIMBREBENCH_CACHE.",
        ) from None


def threads_of(nodes: Sequence[Mapping[str, Any]], jobs: int, threads: int, gpu: bool) -> int:
    """Cores that each job gets: the same on every node, as results depend on it."""
    usable = [n for n in nodes if n["cpus"] >= 1 and (n["gpus"] >= 1 or not gpu)]
    if not usable:
        raise BenchError(
            f"no node of the cluster has a {'GPU' if gpu else 'core'} to give.",
            hint="Use --device cpu." if gpu else "See: ray status",
        )
    most = int(max(n["cpus"] for n in usable))
    if threads > most:
        raise BenchError(f"--threads {threads}: the largest node has {most} cores.")
    shares = (n["cpus"] // (jobs or (n["gpus"] if gpu else 1)) for n in usable)
    return threads or max(1, int(min(shares)))


def _told(address: str, nodes: Sequence[Mapping[str, Any]], threads: int) -> str:
    cores, gpus = (sum(n[what] for n in nodes) for what in ("cpus", "gpus"))
    found = f"{len(nodes)} nodes, {cores:g} cores, {gpus:g} GPUs"
    return f"Ray cluster {address}: {found}; {threads} threads a job."
