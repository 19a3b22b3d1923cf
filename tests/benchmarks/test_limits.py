"""What may be said of memory, and what comes of it."""

import os
import subprocess
import sys

import pytest
from fake_cuda import FakeCuda

from timbrebench.benchmarks import limits
from timbrebench.benchmarks.config import Execution
from timbrebench.benchmarks.limits import (
    HOST_WORKSPACE,
    WORKSPACE,
    MemoryLimits,
    allowance,
    enforce,
    judged,
    memory_limits,
)
from timbrebench.core.devices import use_device
from timbrebench.core.errors import BenchError
from timbrebench.core.ways import Allowance

GIB = 2**30


def test_amounts_and_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ask_device", lambda device, gpus: {"memory": 80 * GIB})
    for text, expected in (("8GiB", 8), ("1/4", 20), ("0.5", 40), ("10%", 8)):
        assert memory_limits(Execution(gpu_memory=text), "cuda").gpu == expected * GIB
    assert memory_limits(Execution(host_memory="2GiB"), "cpu") == MemoryLimits(None, 2 * GIB)
    assert not memory_limits(Execution(), "cpu")


@pytest.mark.parametrize(
    "said, device, told",
    [
        ({"gpu_memory": "lots"}, "cpu", "'lots' is no amount of memory"),
        ({"gpu_memory": "1/2"}, "cpu", "a share of a card, and the device is the CPU"),
        ({"gpu_memory": "3/2"}, "cuda", "'3/2' is no amount"),
        ({"host_memory": "4GiB"}, "cuda", "--host-memory limits jobs on the CPU"),
    ],
)
def test_what_makes_no_sense_is_refused(said: dict[str, str], device: str, told: str) -> None:
    with pytest.raises(BenchError, match=told):
        memory_limits(Execution(**said), device)


def test_wrong_words_are_found_before_anything_starts() -> None:
    for said in ({"gpu_memory": "8 pounds"}, {"host_memory": "1/2"}):
        with pytest.raises(BenchError):
            limits.check_memory(Execution(**said))
    limits.check_memory(Execution(gpu_memory="1/2", host_memory="3GiB"))


def test_what_tensors_may_take() -> None:
    own = 208 * 2**20
    beside = HOST_WORKSPACE + own
    for device in ("cpu", "cuda"):  # what a GPU is planned for is what it would take there
        gpu = {"gpu": GIB, "host": None}
        assert allowance(gpu, device, own) == Allowance(GIB, WORKSPACE, "cuda")
    assert allowance({"gpu": None, "host": GIB}, "cpu", own) == Allowance(GIB, beside, "cpu")
    assert allowance({"gpu": GIB, "host": GIB}, "cpu", own) == Allowance(GIB, beside, "cuda")
    assert allowance({"gpu": None, "host": None}, "cpu", own) is None
    (less,) = {allowance({"host": GIB}, "cpu", own - n) for n in (0, 1, 2**24 - 1)}
    assert less == allowance({"host": GIB}, "cpu", own) != allowance({"host": GIB}, "cpu", own + 1)


def test_a_phase_is_judged_by_what_was_enforced() -> None:
    memory = {"host_peak_rss": 5, "peak_reserved": 7}
    way = {"micro_batch": 2}
    assert judged(way, {"gpu": 6, "host": None}, "allocator", memory)["within_budget"] is False
    assert judged(way, {"gpu": None, "host": 6}, "rlimit", memory)["within_budget"] is True
    planned = judged(way, {"gpu": 6, "host": None}, "none", memory)
    assert planned["within_budget"] is None and planned["micro_batch"] == 2


@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts a process's data")
def test_a_limit_of_the_host_is_kept_to() -> None:
    """More than the limit cannot be had; less can."""
    code = (
        "import os\n"
        "from timbrebench.benchmarks.limits import enforce\n"
        "assert enforce({'gpu': None, 'host': 800 << 20}, 'cpu') == 'rlimit'\n"
        "kept = bytearray(100 << 20)\n"
        "try:\n"
        "    bytearray(800 << 20)\n"
        "except MemoryError:\n"
        "    print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "refused", done.stderr


@pytest.mark.parametrize(("device", "number"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 1)])
def test_a_limit_of_a_gpu_is_the_allocators(cuda: FakeCuda, device: str, number: int) -> None:
    use_device(device)
    assert enforce({"gpu": 25, "host": None}, device) == "allocator"
    assert enforce({"gpu": 1000, "host": None}, device) == "allocator"  # it has 100
    assert cuda.calls[1:] == [("limit", number, 0.25), ("limit", number, 1.0)]
