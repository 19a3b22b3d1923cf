"""Jobs: what a worker process is given, and what it leaves."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

STATUSES = ("ok", "failed", "oom", "timeout", "killed", "interrupted")


@dataclass(frozen=True)
class Job:
    """One worker process. ``needs`` are keys of jobs that must have ended well before."""

    key: str
    kind: str  # index | device | prepare | resolve | calibrate | train | evaluate | time | compare
    label: str  # for people
    folder: Path  # holds its log, and its answer as KIND.json
    data: dict[str, Any]  # JSON-able
    needs: tuple[str, ...] = ()
    threads: int = 0  # 0: what the executor gives to each
    gpus: int = 0  # 1: it computes on a GPU
    deadline: float | None = None  # seconds
    stall: float = 600.0  # seconds without a sign of life
    # What its data becomes, one after the other, where it runs out of memory.
    lower: tuple[Mapping[str, Any], ...] = ()
    alone: bool = False  # nothing else of the run beside it: it times

    def lowered(self) -> "Job | None":
        """The same job a notch lower; None where there is none."""
        if not self.lower:
            return None
        first, *rest = self.lower
        return replace(self, data={**self.data, **first}, lower=tuple(rest))

    def to_json(self) -> dict[str, Any]:
        """For another machine: its folder from the root."""
        return {**asdict(self), "folder": str(self.folder.absolute())}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Job":
        lists = {name: tuple(data[name]) for name in ("needs", "lower")}
        return cls(**{**data, **lists, "folder": Path(data["folder"])})


Listener = Callable[[Job, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    status: str
    answer: dict[str, Any] = field(default_factory=dict)
    phase: str = ""
    reason: str = ""
    log_tail: str = ""

    @property
    def wants_less(self) -> bool:
        """Whether it ran out of memory, and did not say that no way of doing it takes less."""
        return self.status == "oom" and not self.answer.get("final")
