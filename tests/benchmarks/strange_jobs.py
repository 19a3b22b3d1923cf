"""A worker whose jobs misbehave as their data says, for the tests of executors.

It is the real worker, with jobs that need no torch.
"""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from timbrebench.benchmarks import worker
from timbrebench.core.errors import BenchError
from timbrebench.core.memory import OutOfMemory
from timbrebench.core.signs import alive

LONG = 600  # seconds: far beyond any test


def answer(data: Mapping[str, Any]) -> dict[str, Any]:
    print("said by the job")
    return {"value": data.get("value"), "threads": os.environ["OMP_NUM_THREADS"]}


def refuse(data: Mapping[str, Any]) -> dict[str, Any]:
    raise BenchError("it cannot be done.", hint="Do another thing.")


def crash(data: Mapping[str, Any]) -> dict[str, Any]:
    for number in range(50):
        print(f"line {number}", flush=True)
    raise ValueError("a plugin's own\nmistake")


def fail(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": "failed", "phase": "estimate", "reason": "all of its items failed"}


def exhaust(data: Mapping[str, Any]) -> dict[str, Any]:
    raise MemoryError


def exhaust_torch(data: Mapping[str, Any]) -> dict[str, Any]:
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")


def exhaust_a_library(data: Mapping[str, Any]) -> dict[str, Any]:
    """glibc ends a process itself where it gets no memory for a thread."""
    os.write(2, b"cannot allocate memory for thread-local data: ABORT\n")
    os._exit(127)


def exhaust_anyhow(data: Mapping[str, Any]) -> dict[str, Any]:
    raise OutOfMemory("it needs it all.")


def exhaust_above(data: Mapping[str, Any]) -> dict[str, Any]:
    """Needs more memory than there is, unless its size is small enough."""
    if data["size"] > data["enough"]:
        raise MemoryError
    return {"size": data["size"]}


def leave(data: Mapping[str, Any]) -> dict[str, Any]:
    raise SystemExit(3)


def die(data: Mapping[str, Any]) -> dict[str, Any]:
    os.kill(os.getpid(), data.get("signal", signal.SIGKILL))
    return {}


def hang(data: Mapping[str, Any]) -> dict[str, Any]:
    time.sleep(LONG)
    return {}


def hang_on(data: Mapping[str, Any]) -> dict[str, Any]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return hang(data)


def leave_a_child(data: Mapping[str, Any]) -> dict[str, Any]:
    """Notes the process ids of itself and of a child in a file, and ends or hangs."""
    child = subprocess.Popen(["sleep", str(LONG)])
    path = Path(data["pids"])
    path.with_suffix(".part").write_text(f"{os.getpid()} {child.pid}")
    path.with_suffix(".part").rename(path)
    return hang(data) if data.get("hang") else {}


def hold_on(data: Mapping[str, Any]) -> dict[str, Any]:
    """Hangs, and so does a child; neither heeds a TERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a child inherits it
    return leave_a_child({**data, "hang": True})


def fork_a_child(data: Mapping[str, Any]) -> dict[str, Any]:
    """As ``leave_a_child`` and hangs; the child has all that this process had open."""
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(LONG)
        os._exit(0)
    path = Path(data["pids"])
    path.with_suffix(".part").write_text(f"{os.getpid()} {child}")
    path.with_suffix(".part").rename(path)
    return hang(data)


def meet(data: Mapping[str, Any]) -> dict[str, Any]:
    """Ends when the other job has come too."""
    own, other = Path(data["own"]), Path(data["other"])
    own.touch()
    while not other.exists():
        time.sleep(0.01)
    return {}


def be_counted(data: Mapping[str, Any]) -> dict[str, Any]:
    """Stays a moment among those in a folder; tells how many they were, and its GPU."""
    place = Path(data["place"])
    place.mkdir(exist_ok=True)
    own = place / str(os.getpid())
    own.touch()
    time.sleep(data.get("seconds", 0.5))
    count = len(list(place.iterdir()))
    own.unlink()
    return {"count": count, "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}


def finish_once(data: Mapping[str, Any]) -> dict[str, Any]:
    """Adds a line as it begins, and one as it ends when it is let."""
    diary = Path(data["diary"])
    with diary.open("a") as lines:
        lines.write(f"begun by {os.getpid()} of {os.getppid()}\n")
    while not Path(data["until"]).exists():
        time.sleep(0.02)
    with diary.open("a") as lines:
        lines.write("done\n")
    return {}


def breathe(data: Mapping[str, Any]) -> dict[str, Any]:
    """Works a while in silence, but for the signs of life that a part of it gives."""
    for _ in range(data["times"]):
        alive()
        time.sleep(0.1)
    return {}


def lose_the_parent(data: Mapping[str, Any]) -> dict[str, Any]:
    """As a machine that goes down takes whoever looks after a worker."""
    os.kill(os.getppid(), signal.SIGKILL)
    return hang(data)


JOBS: list[Callable[[Mapping[str, Any]], dict[str, Any]]] = [
    *(answer, refuse, crash, fail, leave, die),
    *(exhaust, exhaust_torch, exhaust_a_library, exhaust_above, exhaust_anyhow),
    *(
        hang,
        hang_on,
        leave_a_child,
        fork_a_child,
        hold_on,
        meet,
        be_counted,
        finish_once,
        lose_the_parent,
    ),
    breathe,
]


def strange(job: Mapping[str, Any], events: worker.Events) -> dict[str, Any]:
    events.enter("strange")
    for _ in range(job["data"].get("beats", 0)):
        events({"event": "progress", "what": "beats", "share": 0.5})
        time.sleep(0.1)
    does = {do.__name__: do for do in JOBS}
    return does[job["data"]["do"]](job["data"])


def resolve(job: Mapping[str, Any], events: worker.Events) -> dict[str, Any]:
    """Plans, of four signs of life each and with this process's id; on the method that the
    environment names it hangs, at last."""
    bad = os.environ.get("HANGS_ON")
    cells = job["data"]["cells"]
    for key in sorted(cells, key=lambda key: cells[key]["method"] == bad):
        for _ in range(4):
            time.sleep(0.25)
            events({"event": "progress", "what": "plan", "share": 0.5, "cells": {}})
        if cells[key]["method"] == bad:
            hang({})
        plan = {"stages": [], "sampling": {}, "by": os.getpid()}
        events({"event": "progress", "what": "plan", "share": 0.5, "cells": {key: plan}})
    return {}


CARDS = {"0": 80, "1": 40, "GPU-c0de": 20}  # bytes, of a machine with three


def device(job: Mapping[str, Any], events: worker.Events) -> dict[str, Any]:
    """As CUDA does: of the cards that are named those before the first unknown one."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(CARDS)).split(",")
    seen = [CARDS[name] for name in itertools.takewhile(CARDS.__contains__, named)]
    if not seen:
        raise BenchError(f"there is no device '{job['data']['device']}' here.")
    return {"name": "card", "memory": seen[0], "least": min(seen), "count": len(seen)}


if __name__ == "__main__":
    worker.JOBS |= {"strange": strange, "resolve": resolve, "device": device}
    sys.exit(worker.main(sys.argv[1]))
