"""One job in one process: ``python -m timbrebench.benchmarks.worker JOB.json``.

Events go to the parent as JSON lines on the original standard output; everything that is
printed, by us or by a library, goes to the job's log.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timbrebench.benchmarks.holding import held
from timbrebench.benchmarks.store import FULL, MAKE_ROOM
from timbrebench.benchmarks.work import JOBS
from timbrebench.core import files
from timbrebench.core.errors import BenchError, one_line
from timbrebench.core.memory import OutOfMemory, is_out_of_memory
from timbrebench.core.overlap import watched
from timbrebench.core.signs import heard

PR_SET_PDEATHSIG = 1
BEAT = 1.0  # seconds between two signs of life that say nothing else


class Events:
    """The way back to the parent."""

    def __init__(self) -> None:
        self.stream = os.fdopen(os.dup(1), "w", buffering=1)
        self.phase, self.told = "start", time.monotonic()

    def __call__(self, event: Mapping[str, Any]) -> None:
        self.told = time.monotonic()
        self.stream.write(json.dumps(dict(event)) + "\n")

    def enter(self, phase_name: str) -> None:
        self.phase = phase_name
        self({"event": "phase", "phase": phase_name})

    def wait(self) -> None:
        if self.phase != "wait":
            self.enter("wait")
        self.alive()

    def alive(self, *_: int) -> None:
        if time.monotonic() - self.told > BEAT:
            self({"event": "alive"})


def die_with_parent(parent: int) -> None:
    """A killed parent leaves no worker behind (Linux; elsewhere workers end by themselves)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)


def main(path: str) -> int:
    job = files.read_json(Path(path))
    die_with_parent(job["parent"])
    events = Events()
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    with held(Path(job["folder"]), job["id"], events.wait):
        if _answered(job):
            return 0
        answer = {"id": job["id"], **_answer(job, events)}
        files.write_json(Path(job["answer"]), answer)
    return 0 if answer["status"] == "ok" else 1


def _answered(job: Mapping[str, Any]) -> bool:
    """Whether one that was given up for lost has done it after all."""
    try:
        return bool(files.read_json(Path(job["answer"]))["id"] == job["id"])
    except (OSError, ValueError, KeyError):
        return False


def _answer(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    try:
        with heard(events.alive), watched(events.alive):
            return {"status": "ok", **JOBS[job["kind"]](job, events)}
    except BenchError as error:
        known = {"phase": events.phase, "reason": str(error)}
        if isinstance(error, OutOfMemory):
            return {"status": "oom", "final": True, **known}
        return {"status": "failed", **known}
    except Exception as error:  # a plugin may raise anything: it ends its own job only
        with contextlib.suppress(OSError):  # the log's disk may be full
            traceback.print_exc()
        if isinstance(error, OSError) and error.errno in FULL:
            reason = f"{error.filename or job['folder']}: {error.strerror}. {MAKE_ROOM}"
            return {"status": "failed", "phase": events.phase, "reason": reason}
        status = "oom" if is_out_of_memory(error) else "failed"
        return {"status": status, "phase": events.phase, "reason": one_line(error)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
