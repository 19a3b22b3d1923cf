"""What scoring takes of memory is tried on noise, once, and planned for."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from timbrebench.benchmarks import measure, rehearsing
from timbrebench.benchmarks.limits import MemoryLimits
from timbrebench.benchmarks.plan import make_plan
from timbrebench.benchmarks.rehearsing import check_scoring, rehearsed, scoring_bytes
from timbrebench.benchmarks.tracing import stage_plans
from timbrebench.core.registry import registry
from timbrebench.core.ways import padded

MIB = 2**20


class Hoards:
    """A pair metric that holds so many bytes for a moment."""

    def __init__(self, size: int) -> None:
        self.size, self.seconds = size, 0.0

    def measure(self, reference: Any, estimate: Any) -> dict[str, float]:
        self.seconds = reference.seconds
        np.ones(self.size, np.uint8).sum(dtype=np.int64)
        return {}


@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts a process's data")
def test_what_a_metric_holds_for_a_moment_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    info = SimpleNamespace(kind="pair", rate=16000)
    chosen = SimpleNamespace(entry=SimpleNamespace(info=info))
    monkeypatch.setattr(measure, "chosen_metric", lambda choice: chosen)
    for size in (1, 400 * MIB):
        metric = Hoards(size)
        monkeypatch.setattr(measure, "create_metric", lambda chosen, made=metric: made)
        found.append(rehearsed([{}], 3.0)["bytes"])
        assert metric.seconds == 3.0
    assert 390 * MIB < found[1] - found[0] < 460 * MIB


def test_it_is_tried_once_and_the_references_are_counted(
    config, cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mapping[str, Any]] = []

    def apart(kind: str, data: Mapping[str, Any], deadline: float) -> Any:
        asked.append(data)
        return SimpleNamespace(status="ok", answer={"bytes": 1000, "rate": 16000})

    monkeypatch.setattr(rehearsing, "run_apart", apart)
    plan = make_plan(config("copy"), registry())
    tracks = plan.corpus.tracks_of("train")
    seconds = sum(track.seconds for track in tracks)
    assert scoring_bytes(plan) == padded(1000) + round(seconds * 16000) * 4
    assert scoring_bytes(plan) == scoring_bytes(plan) and len(asked) == 1
    tests = [track.seconds for track in plan.corpus.tracks_of("test")]
    assert asked[0]["seconds"] == max(tests)
    cut = replace(plan, config=replace(plan.config, max_seconds=0.5))
    scoring_bytes(cut)
    assert len(asked) == 2 and asked[1]["seconds"] == 0.5


@pytest.mark.parametrize(
    ("scoring", "least", "told"),
    [(50, 10, "scoring"), (50, 90, "bow"), (5, 90, "bow"), (50, 0, "scoring"), (5, 0, "")],
)
def test_what_needs_most_is_told(
    config, scoring: int, least: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of training and scoring: a limit that is raised to it is enough for both."""
    plan = make_plan(config("copy", "cross"), registry())
    keys = {cell.method.label: cell.key for cell in plan.cells}
    answer = {"error": "bow does not fit", "status": "impossible", "least": least}
    traced = {keys["cross"]: answer if least else {"stages": [], "sampling": {}}}
    monkeypatch.setattr("timbrebench.benchmarks.tracing._trace", lambda *given: traced)
    monkeypatch.setattr(rehearsing, "scoring_bytes", lambda plan: scoring)
    found = stage_plans(plan, MemoryLimits(host=20))
    assert found.get(keys["copy"], {}).get("error", "").startswith("scoring" * (scoring > 20))
    assert found[keys["cross"]].get("error", "").startswith(told)
    assert (check_scoring(plan, 20) is None) == (scoring <= 20)


def test_scipy_is_there_before_a_limit_is() -> None:
    """Its OpenBLAS tries for ever where it gets no memory as it is loaded."""
    code = (
        "import sys\n"
        "from timbrebench.benchmarks.limits import enforce\n"
        "enforce({'gpu': None, 'host': 4 << 30}, 'cpu')\n"
        "sys.exit(not {'scipy.linalg', 'torch'} <= set(sys.modules))\n"
    )
    assert subprocess.call([sys.executable, "-c", code]) == 0
