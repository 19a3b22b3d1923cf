"""What speaks with Ray: a process of its own, ``python -m …executors.ray_driver``.

Ray prints what it likes, waits for minutes for a cluster that is not there, and ends the process
that lost its cluster. Here all that meets a log and a deadline, and never a run's own process.
Requests are JSON lines on standard input, replies JSON lines on the original standard output.
"""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

import ray
from ray import exceptions
from ray.util.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    NodeLabelSchedulingStrategy,
    NotIn,
)

from timbrebench.benchmarks.executors import node
from timbrebench.benchmarks.worker import die_with_parent

LOOK = 0.2  # seconds between two looks at what has ended
CHECK_SECONDS = 60.0  # that the nodes have to say what they are
STUCK_SECONDS = 10.0  # between two looks at whether a job can run at all

# Ended by the cluster, not by itself: its machine or its process is gone.
LOST = (
    exceptions.NodeDiedError,
    exceptions.WorkerCrashedError,
    exceptions.ObjectLostError,
    exceptions.OwnerDiedError,
    exceptions.RaySystemError,
)


class Driver:
    """The jobs that the cluster has, by id."""

    def __init__(self, replies: IO[str]) -> None:
        self.replies = replies
        self.refs: dict[str, Any] = {}
        self.needs: dict[str, dict[str, float]] = {}
        self.alone = set[str]()
        self.stuck: dict[str, str] = {}
        self.unfit: list[str] = []  # ids of nodes that joined later, and get no more jobs
        self.looked = time.monotonic()

    def say(self, reply: Mapping[str, Any]) -> None:
        self.replies.write(json.dumps(dict(reply)) + "\n")

    # ------------------------------------------------------------------ requests

    def submit(
        self, id: str, order: Mapping[str, Any], cpus: float, gpus: float, alone: bool
    ) -> None:
        """Never again by Ray itself: who asked counts how often, and tells. A job that has to be
        ``alone`` takes all cores of a node."""
        if alone:
            cpus = most_cores(cpus, gpus)
            self.alone.add(id)
        task = ray.remote(node.do).options(
            name=order["job"]["label"],
            num_cpus=cpus,
            num_gpus=gpus,
            max_retries=0,
            retry_exceptions=False,
            scheduling_strategy=self._elsewhere(),
        )
        self.refs[id] = task.remote(dict(order))
        self.needs[id] = {"CPU": cpus, "GPU": gpus}

    def _elsewhere(self) -> Any:
        if not self.unfit:
            return "DEFAULT"
        return NodeLabelSchedulingStrategy({"ray.io/node-id": NotIn(*self.unfit)})

    def cancel(self, id: str, force: bool) -> None:
        if id in self.refs:
            ray.cancel(self.refs[id], force=force)

    def check(self, must: Mapping[str, Any]) -> None:
        """Every node of the cluster, and why it is unfit, if it is."""
        nodes = alive()
        asked = {}
        for each in nodes:
            there = NodeAffinitySchedulingStrategy(each["NodeID"], soft=False)
            task = ray.remote(node.unfit).options(
                num_cpus=0, max_retries=0, scheduling_strategy=there
            )
            asked[each["NodeID"]] = task.remote(dict(must))
        ray.wait(list(asked.values()), num_returns=len(asked), timeout=CHECK_SECONDS)
        told = [
            {
                "cpus": each["Resources"].get("CPU", 0),
                "gpus": each["Resources"].get("GPU", 0),
                "unfit": _answer(asked[each["NodeID"]], each),
            }
            for each in nodes
        ]
        self.say({"nodes": told})

    # ------------------------------------------------------------------ what has ended

    def look(self) -> None:
        """Waits a moment, and tells what has ended."""
        if not self.refs:
            time.sleep(LOOK)
            return
        by_ref = {ref: id for id, ref in self.refs.items()}
        done, _ = ray.wait(list(by_ref), num_returns=1, timeout=LOOK)
        for ref in done:
            id = by_ref[ref]
            self.say({"id": id, **self._judged(_end(ref), self.needs[id])})
            for kept in (self.refs, self.needs, self.stuck):
                kept.pop(id, None)
            self.alone.discard(id)
        if time.monotonic() - self.looked > STUCK_SECONDS:
            self._tell_stuck()

    def _judged(self, end: dict[str, Any], needs: Mapping[str, float]) -> dict[str, Any]:
        """A job that met an unfit node is lost there, for as long as another node could do it."""
        told = end.get("ended", {})
        if "unfit" not in told:
            return end
        if told["node"] not in self.unfit:
            self.unfit.append(told["node"])
        others = [n["Resources"] for n in alive() if n["NodeID"] not in self.unfit]
        return {"lost" if _fits(needs, others) else "failed": told["unfit"]}

    def _tell_stuck(self) -> None:
        """Which jobs no node that is there now could ever run, and which may wait for one that
        does nothing else."""
        self.looked, nodes = time.monotonic(), [each["Resources"] for each in alive()]
        for id, needs in self.needs.items():
            fits = _fits(needs, nodes)
            if id in self.stuck or (fits and id not in self.alone):
                continue
            gpu = " and a GPU" if needs["GPU"] else ""
            found = "has nothing else to do" if fits else "is there now"
            self.stuck[id] = f"no node with {needs['CPU']:g} cores{gpu} {found}"
            self.say({"id": id, "stuck": self.stuck[id]})


def _fits(needs: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> bool:
    """Whether one of the nodes, by what they have, could do a job at all."""
    return any(all(n.get(k, 0) >= v for k, v in needs.items()) for n in nodes)


def alive() -> list[dict[str, Any]]:
    return [each for each in ray.nodes() if each["Alive"]]


def most_cores(cpus: float, gpus: float) -> float:
    """Of the largest node that has room for a job: who asks for them all has it for itself."""
    found = [each["Resources"] for each in alive()]
    fit = [n.get("CPU", 0) for n in found if n.get("CPU", 0) >= cpus and n.get("GPU", 0) >= gpus]
    return float(max(fit, default=cpus))


def _end(ref: Any) -> dict[str, Any]:
    """How a task ended: 'ended', what it said; or 'lost', 'cancelled', 'oom', 'failed', why."""
    try:
        return {"ended": ray.get(ref)}
    except exceptions.TaskCancelledError:
        return {"cancelled": True}
    except exceptions.OutOfMemoryError as error:
        return {"oom": _first(error)}
    except LOST as error:
        return {"lost": _first(error)}
    except Exception as error:
        return {"failed": _first(error)}


def _answer(ref: Any, each: Mapping[str, Any]) -> str:
    name = each.get("NodeManagerHostname") or each.get("NodeManagerAddress")
    try:
        return str(ray.get(ref, timeout=0))
    except exceptions.GetTimeoutError:
        return f"node {name} gave no answer within {CHECK_SECONDS:g} s"
    except Exception as error:
        return f"node {name} cannot run timbrebench: {_first(error)}"


def _first(error: Exception) -> str:
    """The line that says it: of an error in a task the last, of Ray's own the first sentence."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if isinstance(error, exceptions.RayTaskError):
        return lines[-1].strip()
    return lines[0].partition(". ")[0].rstrip(".")


def _hear(requests: "queue.Queue[dict[str, Any] | None]") -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    requests.put(None)


def main(parent: int, log: str, address: str) -> int:
    die_with_parent(parent)
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    driver = Driver(replies)
    try:
        ray.init(address, log_to_driver=False, configure_logging=False)
    except Exception as error:
        driver.say({"refused": _first(error)})
        return 1
    driver.say({"connected": True})
    does: dict[str, Callable[..., None]] = {
        "submit": driver.submit,
        "cancel": driver.cancel,
        "check": driver.check,
    }
    requests: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_hear, args=(requests,), daemon=True).start()
    while True:
        while not requests.empty():
            request = requests.get()
            if request is None:
                ray.shutdown()
                return 0
            does[request.pop("do")](**request)
        driver.look()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
