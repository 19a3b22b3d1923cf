"""One job in a process and a temporary folder of its own, its answer handed back."""

import tempfile
from pathlib import Path
from typing import Any

from timbrebench.benchmarks.executors.local import LocalExecutor
from timbrebench.benchmarks.jobs import Job, Outcome


def run_apart(kind: str, data: dict[str, Any], deadline: float) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="timbrebench-") as folder:
        job = Job(kind, kind, kind, Path(folder), data, deadline=deadline)
        return next(outcome for _, outcome in LocalExecutor().run([job], lambda *_: None))
