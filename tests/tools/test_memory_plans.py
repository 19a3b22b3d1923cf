"""The page of plans: every model, what samples, recomputed ways, and real tensors beside traces."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from timbrebench.core.interfaces import Recipe, Stage
from timbrebench.core.ways import Way

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "memory_plans.py"
GIB = 2**30


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("memory_plans", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def way(size: int, gib: float, recompute: bool = False) -> dict[str, Any]:
    return {"micro_batch": size, "recompute": recompute, "planned_bytes": int(gib * GIB)}


def cell(method: str, *memory: dict[str, Any], slices: int = 8) -> dict[str, Any]:
    return {
        "method": method,
        "reason": "",
        "stages": [f"model {n}" for n in range(len(memory))],
        "batch": [16] * len(memory),
        "memory": list(memory),
        "sampling": {"slices": slices, "planned_bytes": GIB},
    }


def test_every_model_has_a_row_and_sampling_one(page: ModuleType) -> None:
    """Models of equal batches too; a cell that does not fit has its reason in each."""
    none = {**cell("ldm"), "reason": "needs at least 9.0 GiB", "sampling": None}
    plans = {
        "4GiB": [none, cell("double", way(1, 3.7, recompute=True), slices=4)],
        "8GiB": [cell("ldm", way(16, 5.4), way(8, 7)), cell("double", way(2, 6.8))],
    }
    assert list(page.table_of(plans))[2:] == [
        "| ldm | model 0 | 16 | needs at least 9.0 GiB | whole: 5.4 GiB |",
        "| ldm | model 1 | 16 | needs at least 9.0 GiB | 2×8: 7.0 GiB |",
        "| ldm | sampling | 8 | needs at least 9.0 GiB | whole: 1.0 GiB |",
        "| double (cross's models) | model 0 | 16 | 16×1, recomputed: 3.7 GiB | 8×2: 6.8 GiB |",
        "| double (cross's models) | sampling | 8 | 2×4: 1.0 GiB | whole: 1.0 GiB |",
    ]


class Wide(Stage):
    def build(self) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(1000, 1000)))

    def specimen(self, batch: int) -> dict[str, torch.Tensor]:
        return {"x": torch.zeros(batch, 1000)}

    def prepare(self, context: Any) -> dict[str, Any]:
        return {}

    def example(self, rng: Any, split: str) -> dict[str, Any]:
        return {}

    def loss(self, module: torch.nn.Module, batch: dict[str, torch.Tensor]) -> dict[str, Any]:
        return {"loss": module(batch["x"]).square().mean()}


def test_real_tensors_stand_beside_the_trace(
    page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As planned where that can be held, example by example in the other kind, and sampling; the
    network alone is 3.8 MiB, its optimiser twice that."""
    wide = Wide("model 0", {}, Recipe(batch_size=4))
    monkeypatch.setattr(page, "METHODS", ("wide", "double"))
    monkeypatch.setattr(page, "stages", lambda name: [wide])
    assert page.ways_of([cell("wide", way(4, 11))], "wide", 0) == [Way(1), Way(1, True)]
    assert page.ways_of([cell("wide", way(1, 1, True))], "wide", 0) == [Way(1), Way(1, True)]
    rows = [
        [part.strip() for part in line.strip("| ").split("|")]
        for line in list(page.measured([cell("wide", way(4, 1))]))[2:]
    ]
    assert [row[2] for row in rows] == ["1 at once, recomputed", "4 at once", "8 slices"]
    for *_, traced, real, profiled, planned in rows:
        assert int(traced) == int(real) >= 4
        assert 0.9 * int(traced) <= int(profiled) <= int(planned)
        assert int(planned) == pytest.approx(1.1 * int(traced) + 64, abs=1.1)
    assert all(int(row[3]) > 4 * 3.8 for row in rows[:2])
