"""Work on many files at once: a thread each, in which torch computes alone. Heavy."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Job = TypeVar("Job")
Made = TypeVar("Made")


def side_by_side(work: Callable[[Job], Made], jobs: Iterable[Job]) -> Iterator[Made]:
    """What comes of each job, in their order. As many at once as torch has threads, and as many
    again wait, so that little is held. Decoding, resampling and FFTs release the interpreter's
    lock; an error of a job is raised where its result is due, and no other job begins."""
    running: deque[Future[Made]] = deque()
    with _one_each() as threads, ThreadPoolExecutor(threads) as pool:
        try:
            for job in jobs:
                running.append(pool.submit(work, job))
                if len(running) == 2 * threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _one_each() -> Iterator[int]:
    """As many threads as torch has, each of which then computes alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
