"""The executor that a run asks for."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from timbrebench.benchmarks.apart import ask_device
from timbrebench.benchmarks.config import Execution
from timbrebench.benchmarks.executors import local
from timbrebench.benchmarks.runner import Executor


@contextlib.contextmanager
def executor(
    execution: Execution, device: str, root: Path, tell: Callable[[str], None]
) -> Iterator[Executor]:
    """For a run on a device into the folder ``root``; BenchError where it is not there. ``tell``
    gets a line on what was found."""
    if execution.executor == "ray":
        from timbrebench.benchmarks.executors.ray import on_cluster

        how = (execution.jobs, execution.threads, device != "cpu")
        with on_cluster(execution.ray_address, root, *how) as (remote, told):
            tell(told)
            yield remote
        return
    gpus = _gpus(execution, device)
    yield local.LocalExecutor(execution.jobs or max(1, len(gpus)), execution.threads, gpus)


def _gpus(execution: Execution, device: str) -> list[str]:
    """Ids of the GPUs that jobs take turns on; none where the device says which."""
    if device == "cpu":
        return []
    found = ask_device(device, execution.gpu_ids)
    if execution.gpus:
        return execution.gpu_ids
    if device != "cuda" or execution.jobs <= 1:
        return []
    named = os.environ.get(local.VISIBLE, "")
    return named.split(",") if named else [str(n) for n in range(found["count"])]
