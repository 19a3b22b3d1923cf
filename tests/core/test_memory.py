import mmap
import sys

import pytest
import torch

from timbrebench.core import memory
from timbrebench.core.interfaces import Recipe, Stage

linux = pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's")
MIB = 1 << 20


@linux
def test_the_peak_of_a_phase_is_its_own() -> None:
    kept: dict = {}
    with memory.phase("idle", kept):
        pass
    # Pages that no earlier test has left free.
    with memory.phase("busy", kept), mmap.mmap(-1, 64 * MIB) as fresh:
        fresh.write(b"1" * (64 * MIB))
    with memory.phase("after", kept):
        pass
    idle, busy, after = (kept[n]["host_peak_rss"] for n in ("idle", "busy", "after"))
    assert busy - idle > 60 * MIB
    if kept["after"]["host_peak_is_of_phase"]:
        assert busy - after > 60 * MIB


def test_a_phase_that_fails_is_recorded() -> None:
    kept: dict = {}
    with pytest.raises(RuntimeError), memory.phase("broken", kept):
        raise RuntimeError
    assert kept["broken"]["seconds"] >= 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="here its counters are read")
def test_what_cannot_be_measured_is_none_never_zero() -> None:
    kept: dict = {}
    with memory.phase("any", kept):
        pass
    assert kept["any"]["peak_allocated"] is None
    assert kept["any"]["peak_reserved"] is None


def test_without_proc_the_peak_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(memory, "STATUS", tmp_path / "absent")
    monkeypatch.setattr(memory, "CLEAR", tmp_path / "absent" / "file")
    assert memory.peak_rss() is None
    assert not memory.reset_peak()


class TwoLayers(Stage):
    """[batch, 7] → 5 → 3."""

    def __init__(self) -> None:
        super().__init__("two", {}, Recipe())

    def build(self) -> torch.nn.Module:
        layers = torch.nn.Linear(7, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 3)
        return torch.nn.Sequential(*layers)

    def specimen(self, batch: int) -> dict[str, torch.Tensor]:
        return {"x": torch.zeros(batch, 7)}

    def prepare(self, context):
        raise AssertionError("the cost is counted without data")

    def example(self, rng, split):
        raise AssertionError("the cost is counted without data")

    def loss(self, module, batch):
        return {"loss": module(batch["x"]).square().mean()}


def test_flops_of_a_step_are_those_of_the_matrix_products() -> None:
    """A product of n×k and k×m is 2nkm. Forward: both layers. Backward: the gradient of both
    layers' weights, and of the second layer's input (the data needs none)."""
    first, second = 2 * 7 * 5, 2 * 5 * 3
    assert memory.step_flops(TwoLayers()) == (first + second) + (first + 2 * second)


def test_counting_draws_nothing_from_torch() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    memory.step_flops(TwoLayers())
    assert torch.equal(before, torch.get_rng_state())
