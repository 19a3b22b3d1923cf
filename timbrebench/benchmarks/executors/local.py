"""Jobs as fresh processes on this machine: nothing that one does can reach another."""

import os
import uuid
from collections.abc import Sequence

from timbrebench.benchmarks.executors.process import Start, WorkerProcess, attend, stop
from timbrebench.benchmarks.executors.queue import QueueExecutor
from timbrebench.benchmarks.jobs import Job, Listener

VISIBLE = "CUDA_VISIBLE_DEVICES"


class LocalExecutor(QueueExecutor[WorkerProcess]):
    """Runs jobs, ``jobs`` at a time, with as many threads each. Those on a GPU get the one of
    ``gpus`` (ids as CUDA knows them; none: the driver's choice) that fewest others are on."""

    def __init__(self, jobs: int = 1, threads: int = 0, gpus: Sequence[str] = ()) -> None:
        super().__init__()
        self.jobs, self.gpus = jobs, gpus
        self.threads = threads or max(1, cores() // jobs)

    def room(self, running: Sequence[WorkerProcess]) -> int:
        return max(0, self.jobs - len(running))

    def start(self, job: Job, running: Sequence[WorkerProcess], listen: Listener) -> WorkerProcess:
        listen(job, {"event": "started"})
        gpu = {VISIBLE: self._free(running)} if job.gpus and self.gpus else {}
        threads, shared = job.threads or self.threads, self.jobs > 1 and not job.alone
        return WorkerProcess(job, Start(uuid.uuid4().hex, threads, gpu, shared=shared))

    def _free(self, running: Sequence[WorkerProcess]) -> str:
        taken = [worker.start.environment.get(VISIBLE) for worker in running]
        return min(self.gpus, key=taken.count)

    def wait(self, running: Sequence[WorkerProcess], listen: Listener) -> list[WorkerProcess]:
        return attend(running, listen)

    def stop(self, running: Sequence[WorkerProcess]) -> list[WorkerProcess]:
        stop([worker for worker in running if not worker.ended], "interrupted")
        return list(running)


def cores() -> int:
    """Cores that this process may use: on a cluster fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
