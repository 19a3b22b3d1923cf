"""Jobs as fresh processes on this machine: nothing that one does can reach another."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from timbrebench.benchmarks.jobs import Job, Outcome
from timbrebench.core import files

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

Listener = Callable[[Job, Mapping[str, Any]], None]


class _Running:
    """A worker process, and when it last gave a sign of life."""

    def __init__(self, job: Job, threads: int) -> None:
        self.job, self.threads = job, threads
        self.answer = job.folder / f"{job.kind}.json"
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
            "kind": self.job.kind,
            "folder": str(self.job.folder),
            "log": str(self.log),
            "answer": str(self.answer),
            "parent": os.getpid(),
            "threads": self.threads,
            "data": self.job.data,
        }
        files.write_json(spec, described)
        threads = {n: str(self.threads) for n in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        # What is kept would count where memory is limited.
        trains = self.job.kind in ("train", "calibrate")
        keeps = trains and not self.job.data.get("memory", {}).get("host")
        extra = threads | WAITING | (ALLOCATOR if keeps else {})
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", WORKER, str(spec)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **extra},
                start_new_session=True,
            )

    def read(self, listen: Listener) -> None:
        """Hands on the events that have come."""
        assert self.process.stdout is not None
        with contextlib.suppress(BlockingIOError):
            self.buffer += os.read(self.process.stdout.fileno(), 1 << 16)
        *lines, self.buffer = self.buffer.split(b"\n")
        for line in lines:
            self.alive = time.monotonic()
            event = json.loads(line)
            self.phase = event.get("phase", self.phase)
            listen(self.job, event)

    def overdue(self) -> str:
        now = time.monotonic()
        if self.job.deadline is not None and now - self.started > self.job.deadline:
            return f"it did not end within {self.job.deadline:g} s"
        if now - self.alive > self.job.stall:
            return f"it gave no sign of life for {self.job.stall:g} s"
        return ""

    def stop(self, why: str) -> None:
        """TERM, then KILL, to the whole process group: no orphan is left."""
        self.stopped = why
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE)

    def outcome(self, interrupted: bool = False) -> Outcome:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # what it may have left running
        answer = self._read_answer()
        if answer is not None and not interrupted:
            tail = "" if answer["status"] == "ok" else self.tail()
            return Outcome(
                answer["status"], answer, answer.get("phase", ""), answer.get("reason", ""), tail
            )
        status, reason = self._cause(interrupted)
        return Outcome(status, {}, self.phase, reason, self.tail())

    def _cause(self, interrupted: bool) -> tuple[str, str]:
        if interrupted:
            return "interrupted", "stopped by the user"
        if self.stopped:
            return "timeout", self.stopped
        code = self.process.returncode
        if code < 0:
            return "killed", f"the process was ended by {signal.Signals(-code).name}"
        return "failed", f"the process ended with code {code} and no answer"

    def _read_answer(self) -> dict[str, Any] | None:
        try:
            return files.read_json(self.answer)
        except (OSError, ValueError):
            return None

    def tail(self) -> str:
        try:
            with self.log.open("rb") as log:
                log.seek(self.mark)
                text = log.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-TAIL:])


class LocalExecutor:
    """Runs jobs, ``jobs`` at a time, each when those that it needs have ended well."""

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs
        self.threads = max(1, _cores() // jobs)
        self.cancelled = False

    def cancel(self) -> None:
        """Stops all workers soon; ``run`` gives them as interrupted and ends."""
        self.cancelled = True

    def run(self, jobs: Sequence[Job], listen: Listener) -> Iterator[tuple[Job, Outcome]]:
        """Yields each job with its outcome as it ends. One whose need failed is not started:
        it gets that need's outcome. Closing the iterator stops all workers."""
        waiting, running = list(jobs), list[_Running]()
        ended: dict[str, Outcome] = {}
        known = {j.key for j in jobs}
        try:
            while (waiting or running) and not self.cancelled:
                while job := self._blocked(waiting, ended):
                    waiting.remove(job)
                    ended[job.key] = next(ended[n] for n in job.needs if _bad(ended, n))
                    yield job, ended[job.key]
                self._start_ready(waiting, running, ended, known, listen)
                for done in self._wait(running, listen):
                    outcome = done.outcome()
                    if outcome.status == "oom" and (lower := done.job.lowered()):
                        listen(lower, {"event": "lowered", "reason": outcome.reason})
                        waiting.insert(0, lower)
                        continue
                    ended[done.job.key] = outcome
                    yield done.job, outcome
            for worker in running:
                worker.stop("interrupted")
                yield worker.job, worker.outcome(interrupted=True)
        finally:
            for worker in running:
                if worker.process.poll() is None:
                    worker.stop("interrupted")

    def _blocked(self, waiting: Sequence[Job], ended: Mapping[str, Outcome]) -> Job | None:
        """A job whose need has failed."""
        return next((j for j in waiting if any(_bad(ended, n) for n in j.needs)), None)

    def _start_ready(
        self,
        waiting: list[Job],
        running: list[_Running],
        ended: Mapping[str, Outcome],
        known: set[str],
        listen: Listener,
    ) -> None:
        ready = [j for j in waiting if all(n in ended for n in j.needs if n in known)]
        for job in ready[: self.jobs - len(running)]:
            waiting.remove(job)
            listen(job, {"event": "started"})
            running.append(_Running(job, job.threads or self.threads))

    def _wait(self, running: list[_Running], listen: Listener) -> list[_Running]:
        """Waits a moment; hands on events; gives the workers that have ended."""
        with selectors.DefaultSelector() as selector:
            for worker in running:
                selector.register(worker.process.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]
            selector.select(0.2)
        done = []
        for worker in running:
            worker.read(listen)
            late = worker.overdue()
            if worker.process.poll() is None and late:
                worker.stop(late)
            if worker.process.poll() is not None:
                worker.read(listen)
                done.append(worker)
        for worker in done:
            running.remove(worker)
        return done


def _cores() -> int:
    """Cores that this process may use: on a cluster fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _bad(ended: Mapping[str, Outcome], key: str) -> bool:
    return key in ended and ended[key].status != "ok"
