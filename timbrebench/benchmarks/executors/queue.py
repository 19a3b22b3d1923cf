"""The order of jobs, whoever runs them: which may start, what a failure or a lack of memory does
to the rest."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from timbrebench.benchmarks.jobs import Job, Listener, Outcome


class Running(Protocol):
    """A job that was handed to who runs it."""

    job: Job

    def outcome(self, interrupted: bool = False) -> Outcome: ...


R = TypeVar("R", bound=Running)


class QueueExecutor(ABC, Generic[R]):
    """Runs jobs, each when those that it needs have ended well."""

    def __init__(self) -> None:
        self.cancelled = False

    @abstractmethod
    def room(self, running: Sequence[R]) -> int:
        """How many more jobs it takes now."""

    @abstractmethod
    def start(self, job: Job, running: Sequence[R], listen: Listener) -> R:
        """Takes a job beside those that run."""

    @abstractmethod
    def wait(self, running: Sequence[R], listen: Listener) -> list[R]:
        """Waits a moment; hands on events; gives those that have ended."""

    @abstractmethod
    def stop(self, running: Sequence[R]) -> list[R]:
        """Ends them all; gives those that had begun."""

    def cancel(self) -> None:
        """Stops all jobs soon; ``run`` gives them as interrupted and ends."""
        self.cancelled = True

    def run(self, jobs: Sequence[Job], listen: Listener) -> Iterator[tuple[Job, Outcome]]:
        """Yields each job with its outcome as it ends. One whose need failed is not started:
        it gets that need's outcome. Closing the iterator stops all jobs."""
        waiting, running = list(jobs), list[R]()
        ended: dict[str, Outcome] = {}
        known = {j.key for j in jobs}
        try:
            while (waiting or running) and not self.cancelled:
                while job := _blocked(waiting, ended):
                    waiting.remove(job)
                    ended[job.key] = next(ended[n] for n in job.needs if _bad(ended, n))
                    yield job, ended[job.key]
                self._start_ready(waiting, running, ended, known, listen)
                for done in self.wait(running, listen):
                    running.remove(done)
                    outcome = done.outcome()
                    if outcome.wants_less and (lower := done.job.lowered()):
                        listen(lower, {"event": "lowered", "reason": outcome.reason})
                        waiting.insert(0, lower)
                        continue
                    ended[done.job.key] = outcome
                    yield done.job, outcome
            begun, running = self.stop(running), []
            for each in begun:
                yield each.job, each.outcome(interrupted=True)
        finally:
            self.stop(running)

    def _start_ready(
        self,
        waiting: list[Job],
        running: list[R],
        ended: Mapping[str, Outcome],
        known: set[str],
        listen: Listener,
    ) -> None:
        ready = [j for j in waiting if all(n in ended for n in j.needs if n in known)]
        for job in _together(ready, running)[: self.room(running)]:
            waiting.remove(job)
            running.append(self.start(job, running, listen))


def _together(ready: Sequence[Job], running: Sequence[Running]) -> Sequence[Job]:
    """Those that may start beside the running ones. One that has to be alone comes last, when
    nothing runs, and nothing starts beside it."""
    if any(each.job.alone for each in running):
        return []
    others = [job for job in ready if not job.alone]
    return others if others or running else ready[:1]


def _blocked(waiting: Sequence[Job], ended: Mapping[str, Outcome]) -> Job | None:
    """A job whose need has failed."""
    return next((j for j in waiting if any(_bad(ended, n) for n in j.needs)), None)


def _bad(ended: Mapping[str, Outcome], key: str) -> bool:
    return key in ended and ended[key].status != "ok"
