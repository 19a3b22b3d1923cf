"""The GPUs that a run names, on a machine with three."""

import os
from pathlib import Path

import pytest

from timbrebench.benchmarks.config import Execution
from timbrebench.benchmarks.executors import process
from timbrebench.benchmarks.executors.local import LocalExecutor
from timbrebench.benchmarks.executors.opening import executor
from timbrebench.benchmarks.limits import memory_limits
from timbrebench.core.errors import BenchError

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def three_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WORKER", "strange_jobs")
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def gpus(execution: Execution, device: str = "cuda") -> list[str]:
    with executor(execution, device, Path(), lambda line: None) as found:
        assert isinstance(found, LocalExecutor)
        return list(found.gpus)


def test_jobs_get_those_that_are_named_and_there() -> None:
    assert gpus(Execution(gpus="1, GPU-c0de")) == ["1", "GPU-c0de"]
    assert gpus(Execution(jobs=2)) == ["0", "1", "2"]


@pytest.mark.parametrize("named, unknown", [("7", "7"), ("0,7,1", "7"), ("1,GPU-0", "GPU-0")])
def test_one_that_is_not_there_is_named(named: str, unknown: str) -> None:
    with pytest.raises(BenchError, match=f"there is no GPU {unknown} here, of 3") as error:
        gpus(Execution(gpus=named))
    assert "\n" not in str(error.value)


def test_a_machine_without_a_card_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "none")
    with pytest.raises(BenchError, match="there is no device 'cuda' here"):
        gpus(Execution(gpus="7"))


def test_a_share_is_of_the_named_card_and_of_several_of_the_least() -> None:
    for named, bytes_ in (("", 40), ("1", 20), ("0,1", 20), ("GPU-c0de,0", 10)):
        assert memory_limits(Execution(gpu_memory="50%", gpus=named), "cuda").gpu == bytes_
