"""The job that evaluates a cell, under a limit of memory."""

import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fake_cuda import PEAKS, FakeCuda
from usable_cells import Quiet, cell_of

from timbrebench.benchmarks import worker
from timbrebench.benchmarks.choices import choose_metrics
from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.limits import MemoryLimits
from timbrebench.benchmarks.metrics.level import LevelError
from timbrebench.benchmarks.records import metric_record
from timbrebench.core import files
from timbrebench.core.records import Task
from timbrebench.core.registry import registry

LIMIT = 2**50  # bytes


class Events(Quiet):
    """Only the phase that the job is in."""

    phase = ""

    def enter(self, phase: str) -> None:
        self.phase = phase


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the kernel was asked for: a limit would stay with this process."""
    asked: list[Any] = []
    monkeypatch.setattr(resource, "setrlimit", lambda *words: asked.append(words))
    return asked


def evaluate(cell: Path, limits: MemoryLimits, device: str = "cpu") -> Mapping[str, Any]:
    config = RunConfig(metrics=("level_error_db",))
    [metric] = choose_metrics(registry(), config, [Task("transfer", "bell", "bow")])
    data = {
        "cell": files.read_json(cell / "cell.json") | {"device": device},
        "stages": {},
        "metrics": [metric_record(metric)],
        "sampling": {"slices": 8, "planned_bytes": None},
        "memory": limits.record,
    }
    job = {"kind": "evaluate", "folder": str(cell), "threads": 1, "data": data}
    return worker._answer(job, Events())  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts a process's data")
def test_scores_too_are_made_within_the_limit(
    tmp_path: Path, limited: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of estimates that were there. A metric that needs more ends the job as out of
    memory, for good: fewer slices would not help it."""
    cell = cell_of(tmp_path, "copy", "bell:bow")
    with monkeypatch.context() as patch:
        patch.setattr(LevelError, "measure", lambda *clips: bytearray(2**62))
        for times in (1, 2):  # the second finds the estimates there
            answer = evaluate(cell, MemoryLimits(host=LIMIT))
            assert (answer["status"], answer["phase"], answer["final"]) == ("oom", "score", True)
            assert "the metric level_error_db ran out of memory" in answer["reason"]
            assert limited == [(resource.RLIMIT_DATA, (LIMIT, LIMIT))] * times
    assert not list(cell.glob("scores/*"))
    done = evaluate(cell, MemoryLimits())
    assert done["status"] == "ok" and (cell / "scores" / done["scores"][0]).exists()


@pytest.mark.parametrize(("device", "number"), [("cuda", 0), ("cuda:1", 1)])
def test_on_a_gpu_its_own_memory_is_limited_and_measured(
    tmp_path: Path, cuda: FakeCuda, device: str, number: int
) -> None:
    cell = cell_of(tmp_path, "copy", "bell:bow")
    answer = evaluate(cell, MemoryLimits(gpu=cuda.memory // 4), device)
    assert answer["status"] == "ok", answer
    assert ("limit", number, 0.25) in cuda.calls
    memory = answer["outcome"]["phases"]["estimate"]
    assert (memory["peak_allocated"], memory["peak_reserved"]) == PEAKS[number]
    assert memory["enforced"] == "allocator"
    assert memory["within_budget"] is (PEAKS[number][1] <= cuda.memory // 4)


def test_a_gpu_that_is_not_there_is_told(tmp_path: Path, cuda: FakeCuda) -> None:
    answer = evaluate(cell_of(tmp_path, "copy", "bell:bow"), MemoryLimits(), "cuda:2")
    assert (answer["status"], answer["reason"]) == ("failed", "there is no device 'cuda:2' here.")
