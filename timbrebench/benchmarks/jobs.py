"""Jobs: what a worker process is given, and what it leaves."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STATUSES = ("ok", "failed", "oom", "timeout", "killed", "interrupted")


@dataclass(frozen=True)
class Job:
    """One worker process. ``needs`` are keys of jobs that must have ended well before."""

    key: str
    kind: str  # index | prepare | resolve | train | evaluate | compare
    label: str  # for people
    folder: Path  # holds its log, and its answer as KIND.json
    data: dict[str, Any]  # JSON-able
    needs: tuple[str, ...] = ()
    threads: int = 0  # 0: all of the machine's
    deadline: float | None = None  # seconds
    stall: float = 600.0  # seconds without a sign of life


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    status: str
    answer: dict[str, Any] = field(default_factory=dict)
    phase: str = ""
    reason: str = ""
    log_tail: str = ""
