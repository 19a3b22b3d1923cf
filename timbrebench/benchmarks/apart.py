"""One job in a process and a temporary folder of its own, its answer handed back."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrebench.core.errors import BenchError

if TYPE_CHECKING:
    from timbrebench.benchmarks.jobs import Outcome

DEVICE_DEADLINE = 120.0  # seconds
SILENCE = 300.0  # seconds without a sign of life


def run_apart(
    kind: str,
    data: dict[str, Any],
    deadline: float | None = None,
    listen: Callable[[Mapping[str, Any]], None] = lambda event: None,
) -> "Outcome":
    """How the job ended; ``listen`` gets its events as they come."""
    # Here, not above: a plan that is cached starts no process.
    import tempfile

    from timbrebench.benchmarks.executors.local import LocalExecutor
    from timbrebench.benchmarks.jobs import Job

    with tempfile.TemporaryDirectory(prefix="timbrebench-") as folder:
        stall = deadline or SILENCE  # what has a deadline need not tell how it is
        job = Job(kind, kind, kind, Path(folder), data, deadline=deadline, stall=stall)
        ended = LocalExecutor().run([job], lambda job, event: listen(event))
        return next(outcome for _, outcome in ended)


def ask_device(device: str) -> dict[str, Any]:
    """Name and memory (bytes) of a CUDA device, and the count of all; BenchError if it is not
    there."""
    outcome = run_apart("device", {"device": device}, DEVICE_DEADLINE)
    if outcome.status != "ok":
        raise BenchError(outcome.reason, hint="Use --device cpu; see: bench doctor")
    return outcome.answer
