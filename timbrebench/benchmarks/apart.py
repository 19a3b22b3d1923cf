"""One job in a process and a temporary folder of its own, its answer handed back."""

from collections.abc import Callable, Mapping, Sequence
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
    gpus: str = "",
) -> "Outcome":
    """How the job ended; ``listen`` gets its events as they come. It sees the GPUs of these ids,
    with none named all that there are."""
    # Here, not above: a plan that is cached starts no process.
    import tempfile

    from timbrebench.benchmarks.executors.local import LocalExecutor
    from timbrebench.benchmarks.jobs import Job

    with tempfile.TemporaryDirectory(prefix="timbrebench-") as folder:
        stall = deadline or SILENCE  # what has a deadline need not tell how it is
        job = Job(kind, kind, kind, Path(folder), data, gpus=1, deadline=deadline, stall=stall)
        executor = LocalExecutor(gpus=[gpus] if gpus else [])
        return next(outcome for _, outcome in executor.run([job], lambda _, event: listen(event)))


def ask_device(device: str, gpus: Sequence[str] = ()) -> dict[str, Any]:
    """Name and memory (bytes) of a CUDA device, and the count of all; BenchError if it is not
    there. Where GPUs are named each has to be there, and the memory is that of the least."""
    outcome = run_apart("device", {"device": device}, DEVICE_DEADLINE, gpus=",".join(gpus))
    found = outcome.answer if outcome.status == "ok" else {"count": 0}
    if gpus and found["count"] < len(gpus):  # the driver shows those before the first unknown
        there = ask_device(device)["count"]
        raise BenchError(
            f"--gpus {','.join(gpus)}: there is no GPU {gpus[found['count']]} here, of {there}.",
            hint="Their ids: nvidia-smi -L",
        )
    if outcome.status != "ok":
        raise BenchError(outcome.reason, hint="Use --device cpu; see: bench doctor")
    return {**found, "memory": found["least"]} if gpus else found
