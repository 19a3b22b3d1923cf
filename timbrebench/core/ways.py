"""How a training step is done where memory is short, and the largest way that fits. Light."""

import bisect
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from timbrebench.core.errors import BenchError
from timbrebench.core.units import enough_text

MARGIN = 1.1  # kernels' scratch memory and the allocator's gaps: 4 to 9 % were seen


@dataclass(frozen=True)
class Way:
    """How a stage's steps are done: examples held at once, and whether activations are computed
    again on the way back instead of kept."""

    micro_batch: int
    recompute: bool = False


@dataclass(frozen=True)
class Allowance:
    """Bytes that a job may take, and those of them that it takes beside its tensors, on a kind of
    device ('cpu' or 'cuda', which need not be there)."""

    limit: int
    beside: int = 0
    device: str = "cpu"


def padded(peak: int) -> int:
    """What is planned for a traced peak."""
    return math.ceil(MARGIN * peak)


def fitting(
    peak_of: Callable[[Way], int],
    batch: int,
    allowance: Allowance,
    what: str,
    recompute: bool = True,
) -> tuple[Way, int]:
    """(the way with the largest micro-batch that is allowed, its planned bytes): a plain one if
    there is any, then, unless there is no ``recompute``, one with recomputation. NeedsMore, which
    names ``what`` it is of, where none fits."""
    planned = functools.cache(lambda way: padded(peak_of(way)) + allowance.beside)
    least = []
    for again in (False, True) if recompute else (False,):
        ways = [Way(size, again) for size in divisors(batch)]
        if way := _first(ways, lambda way: planned(way) <= allowance.limit):
            return way, planned(way)
        least.append(planned(ways[-1]))
    raise NeedsMore(what, min(least))


class NeedsMore(BenchError):
    """No way of training fits into a budget."""

    def __init__(self, what: str, least: int) -> None:
        super().__init__(f"{what} does not fit: needs at least {enough_text(least)}")
        self.least = least


def ways_down(way: Way, batch: int) -> list[Way]:
    """What is tried, one after the other, where a way has run out of memory all the same."""
    smaller = [Way(size, way.recompute) for size in divisors(batch) if size < way.micro_batch]
    return smaller if way.recompute else [*smaller, Way(1, recompute=True)]


def divisors(number: int) -> list[int]:
    """Falling."""
    return [d for d in range(number, 0, -1) if number % d == 0]


def _first(ways: Sequence[Way], fits: Callable[[Way], bool]) -> Way | None:
    """The first that fits, where all after it fit too. Most often it is the very first."""
    if fits(ways[0]):
        return ways[0]
    index = bisect.bisect_left(ways, True, lo=1, key=fits)
    return ways[index] if index < len(ways) else None
