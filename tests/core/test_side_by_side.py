"""Many jobs at once: a thread each, in order, one error ends them."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from timbrebench.core.side_by_side import side_by_side


@pytest.fixture(autouse=True)
def _three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_as_many_at_once_as_torch_has_threads_each_of_which_computes_alone() -> None:
    together = threading.Barrier(3, timeout=60)

    def work(job: int) -> tuple[int, int]:
        together.wait()  # breaks unless three are at it
        return job, torch.get_num_threads()

    assert list(side_by_side(work, range(6))) == [(job, 1) for job in range(6)]
    assert torch.get_num_threads() == 3


def test_results_are_in_order_and_few_wait() -> None:
    begun: list[int] = []

    def work(job: int) -> int:
        begun.append(job)
        time.sleep(0.02 * (job % 3))
        return job

    for expected, found in enumerate(side_by_side(work, range(30))):
        assert found == expected
        assert len(begun) <= expected + 2 * 3


def test_an_error_is_raised_where_its_result_is_due() -> None:
    begun: list[int] = []

    def work(job: int) -> int:
        begun.append(job)
        if job == 4:
            raise ValueError("job 4")
        return job

    results = side_by_side(work, range(1000))
    assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="job 4"):
        next(results)
    assert len(begun) < 20 and torch.get_num_threads() == 3


def test_of_no_job_comes_nothing() -> None:
    assert list(side_by_side(str, [])) == []
