"""One job in a process and a temporary folder of its own, its answer handed back."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrebench.core.errors import BenchError

if TYPE_CHECKING:
    from timbrebench.benchmarks.jobs import Outcome

DEVICE_DEADLINE = 120.0  # seconds


def run_apart(kind: str, data: dict[str, Any], deadline: float) -> "Outcome":
    # Here, not above: a plan that is cached starts no process.
    import tempfile

    from timbrebench.benchmarks.executors.local import LocalExecutor
    from timbrebench.benchmarks.jobs import Job

    with tempfile.TemporaryDirectory(prefix="timbrebench-") as folder:
        job = Job(kind, kind, kind, Path(folder), data, deadline=deadline)
        return next(outcome for _, outcome in LocalExecutor().run([job], lambda *_: None))


def ask_device(device: str) -> dict[str, Any]:
    """Name and memory (bytes) of a CUDA device, and the count of all; BenchError if it is not
    there."""
    outcome = run_apart("device", {"device": device}, DEVICE_DEADLINE)
    if outcome.status != "ok":
        raise BenchError(outcome.reason, hint="Use --device cpu; see: bench doctor")
    return outcome.answer
