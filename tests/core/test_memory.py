import errno
import mmap
import os
import sys

import pytest
import torch
from fake_cuda import PEAKS, FakeCuda

from timbrebench.core import memory
from timbrebench.core.devices import use_device
from timbrebench.core.errors import BenchError

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


def test_what_a_job_on_the_cpu_takes_of_a_gpu_is_none_never_zero(cuda: FakeCuda) -> None:
    """It leaves CUDA alone, which would take hundreds of megabytes to start."""
    kept: dict = {}
    use_device("cpu")
    with memory.phase("any", kept):
        pass
    assert kept["any"]["peak_allocated"] is None
    assert kept["any"]["peak_reserved"] is None
    assert not cuda.calls


@pytest.mark.parametrize(("device", "number"), [("cuda", 0), ("cuda:1", 1)])
def test_the_peaks_are_of_the_device_that_computes(
    cuda: FakeCuda, device: str, number: int
) -> None:
    kept: dict = {}
    use_device(device)
    with memory.phase("any", kept):
        pass
    assert (kept["any"]["peak_allocated"], kept["any"]["peak_reserved"]) == PEAKS[number]
    assert cuda.calls[1:] == [("reset", number)]


def test_a_device_that_is_not_there_is_refused(cuda: FakeCuda) -> None:
    with pytest.raises(BenchError, match="there is no device 'cuda:2' here"):
        use_device("cuda:2")


def test_without_proc_the_peak_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(memory, "STATUS", tmp_path / "absent")
    monkeypatch.setattr(memory, "CLEAR", tmp_path / "absent" / "file")
    assert memory.peak_rss() is None
    assert not memory.reset_peak()


# As libraries say it.
LACKS = [
    MemoryError(),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("could not create a primitive"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("FIND was unable to find an engine to execute this computation"),
    memory.OutOfMemory("a metric needs more."),
]


@pytest.mark.parametrize("error", LACKS, ids=str)
def test_a_lack_of_memory_is_known_by_its_words(error: Exception) -> None:
    assert memory.is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a memory of the past"),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED"),
        RuntimeError("could not create a primitive descriptor for a convolution"),
    ],
    ids=str,
)
def test_other_errors_are_none(error: Exception) -> None:
    assert not memory.is_out_of_memory(error)
