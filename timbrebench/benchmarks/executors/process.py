"""A job's worker process: started, listened to, stopped in time, and how it ended."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timbrebench.benchmarks.holding import ORDER
from timbrebench.benchmarks.jobs import Job, Outcome
from timbrebench.core import files
from timbrebench.core.memory import says_out_of_memory

WORKER = "timbrebench.benchmarks.worker"  # the module that each process runs
GRACE = 5.0  # seconds between TERM and KILL
TAIL = 20  # lines of its log that a failed job's outcome keeps

# glibc gives every large block back to the kernel and asks for it anew at each step; keeping
# it makes training 1.2 to 1.7 times as fast.
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_TOP_PAD_": str(2**28),
}

# A thread that waits for another by spinning takes the core that the other one needs: on a
# machine that does anything else besides, inference was 9 times as slow.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class Start:
    """What a worker is started with, beside its job."""

    id: str  # of this order to do the job; its answer bears it
    threads: int
    environment: Mapping[str, str] = field(default_factory=dict)  # beside the parent's
    folder: str | None = None  # that relative paths are meant from; None: the parent's
    shared: bool = False  # whether others may work on the machine at the same time


class WorkerProcess:
    """A worker process, and when it last gave a sign of life."""

    def __init__(self, job: Job, start: Start) -> None:
        self.job, self.start = job, start
        self.answer = answer_file(job)
        self.log = job.folder / "log.txt"
        self.phase, self.stopped = "start", ""
        job.folder.mkdir(parents=True, exist_ok=True)
        self.answer.unlink(missing_ok=True)
        self.mark = self.log.stat().st_size if self.log.exists() else 0
        self.process = self._start()
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.started = self.alive = time.monotonic()
        self.buffer = b""

    def _start(self) -> "subprocess.Popen[bytes]":
        spec = self.job.folder / f"{self.job.kind}.job.json"
        described = {
            "id": self.start.id,
            "kind": self.job.kind,
            "folder": str(self.job.folder),
            "log": str(self.log),
            "answer": str(self.answer),
            "parent": os.getpid(),
            "threads": self.start.threads,
            "shared": self.start.shared,
            "data": self.job.data,
        }
        files.write_json(spec, described)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", WORKER, str(spec.absolute())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self._environment()},
                cwd=self.start.folder,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
        threads = {name: str(self.start.threads) for name in names}
        # What is kept would count where memory is limited.
        trains = self.job.kind in ("train", "calibrate")
        keeps = trains and not self.job.data.get("memory", {}).get("host")
        own = {ORDER: self.start.id, **self.start.environment}
        return threads | WAITING | (ALLOCATOR if keeps else {}) | own

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def read(self) -> list[dict[str, Any]]:
        """The events that have come."""
        assert self.process.stdout is not None
        with contextlib.suppress(BlockingIOError):
            self.buffer += os.read(self.process.stdout.fileno(), 1 << 16)
        *lines, self.buffer = self.buffer.split(b"\n")
        events = [json.loads(line) for line in lines]
        for event in events:
            self.alive = time.monotonic()
            if self.phase == "wait":  # for another that does the same job: no work of its own
                self.started = self.alive
            self.phase = event.get("phase", self.phase)
        return events

    def overdue(self) -> str:
        now = time.monotonic()
        late = self.job.deadline is not None and now - self.started > self.job.deadline
        if late and self.phase != "wait":
            return f"it did not end within {self.job.deadline:g} s"
        if now - self.alive > self.job.stall:
            return f"it gave no sign of life for {self.job.stall:g} s"
        return ""

    def signal(self, number: signal.Signals) -> None:
        """To its whole process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def outcome(self, interrupted: bool = False) -> Outcome:
        self.signal(signal.SIGKILL)  # what it may have left running
        answer = read_answer(self.job, self.start.id)
        if answer is not None and not interrupted:
            return as_outcome(answer, self.tail())
        status, reason = self._cause(interrupted)
        return Outcome(status, {}, self.phase, reason, self.tail())

    def _cause(self, interrupted: bool) -> tuple[str, str]:
        if interrupted:
            return INTERRUPTED
        if self.stopped:
            return "timeout", self.stopped
        code, said = self.process.returncode, self.tail().splitlines()[-1:]
        if code and says_out_of_memory("".join(said)):  # a library that ends the process itself
            return "oom", f"the process ended as it was out of memory ({said[0]})"
        if code < 0:
            ended = f"the process was ended by {_name(-code)}"
            limited = (self.job.data.get("memory") or {}).get("host") is not None
            if limited and -code in _FAULTS:  # a library that does not look whether it got any
                return "oom", f"{ended} within its limit of memory"
            return "killed", ended
        return "failed", f"the process ended with code {code} and no answer"

    def tail(self) -> str:
        try:
            with self.log.open("rb") as log:
                log.seek(self.mark)
                text = log.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-TAIL:])


def _name(number: int) -> str:
    """Of a signal; those of real time have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_FAULTS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)
INTERRUPTED = ("interrupted", "stopped by the user")


def stop(workers: Sequence[WorkerProcess], why: str) -> None:
    """TERM to all of them and their children, then KILL: no orphan is left, and one that heeds no
    TERM keeps none of the others waiting."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + GRACE
        for worker in workers:
            worker.stopped = why
            worker.signal(number)
        for worker in workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, end - time.monotonic()))


def attend(
    workers: Sequence[WorkerProcess], hand_on: Callable[[Job, Mapping[str, Any]], None]
) -> list[WorkerProcess]:
    """Waits a moment; hands on events; stops who is late; gives the workers that have ended."""
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker.process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        selector.select(0.2)
    done = []
    for worker in workers:
        _hand_on(worker, hand_on)
        late = worker.overdue()
        if not worker.ended and late:
            stop([worker], late)
        if worker.ended:
            _hand_on(worker, hand_on)
            done.append(worker)
    return done


def _hand_on(worker: WorkerProcess, hand_on: Callable[[Job, Mapping[str, Any]], None]) -> None:
    for event in worker.read():
        hand_on(worker.job, event)


# ---------------------------------------------------------------------------- answers


def answer_file(job: Job) -> Path:
    return job.folder / f"{job.kind}.json"


def read_answer(job: Job, order: str) -> dict[str, Any] | None:
    """What a worker left in answer to this order; None where it has not, or to another one."""
    try:
        answer = files.read_json(answer_file(job))
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) and answer.get("id") == order else None


def as_outcome(answer: dict[str, Any], log_tail: str) -> Outcome:
    tail = "" if answer["status"] == "ok" else log_tail
    return Outcome(
        answer["status"], answer, answer.get("phase", ""), answer.get("reason", ""), tail
    )
