import mmap
import sys

import pytest
import torch

from timbrebench.core import memory

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
