"""What fits into a budget, on peaks that are known."""

import pytest

from timbrebench.core.errors import BenchError
from timbrebench.core.units import bytes_text, enough_text, parse_bytes
from timbrebench.core.ways import (
    MARGIN,
    Allowance,
    NeedsMore,
    Way,
    divisors,
    fitting,
    padded,
    ways_down,
)


class Peaks:
    """100 bytes, and 10 more an example (5 with recomputation); keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[Way] = []

    def __call__(self, way: Way) -> int:
        self.asked.append(way)
        return 100 + (5 if way.recompute else 10) * way.micro_batch


@pytest.mark.parametrize(
    "budget, expected",
    [
        (10_000, Way(24)),
        (340 * MARGIN, Way(24)),  # 100 + 10 × 24
        (339 * MARGIN, Way(12)),
        (220 * MARGIN, Way(12)),
        (181 * MARGIN, Way(8)),
        (110 * MARGIN, Way(1)),
        (109 * MARGIN, Way(1, recompute=True)),  # two with recomputation are 110
    ],
)
def test_the_largest_part_that_fits(budget: float, expected: Way) -> None:
    way, planned = fitting(Peaks(), 24, Allowance(int(budget) + 1), "it")
    assert way == expected
    assert planned <= budget + 1


def test_recomputation_takes_the_largest_that_fits_too() -> None:
    def peak(way: Way) -> int:
        return way.micro_batch if way.recompute else 1000

    assert fitting(peak, 8, Allowance(5), "it")[0] == Way(4, recompute=True)


def test_the_most_usual_case_is_traced_once() -> None:
    peaks = Peaks()
    fitting(peaks, 64, Allowance(10_000), "it")
    assert peaks.asked == [Way(64)]


def test_what_never_fits_says_what_it_needs() -> None:
    """105 bytes and the margin, and what the job takes beside; 110 without recomputation."""
    for beside, recompute, told in ((0, True, 116), (7, True, 123), (0, False, 122)):
        with pytest.raises(NeedsMore, match=f"stage does not fit: needs at least {told} B"):
            fitting(Peaks(), 24, Allowance(100, beside), "stage", recompute)


@pytest.mark.parametrize(
    "count, told",
    [
        (7, "7 B"),
        (1024, "1 KiB"),
        (1025, "2 KiB"),
        (119_000_000, "114 MiB"),
        (2**30 - 1, "1024 MiB"),
        (2**30 + 1, "1.1 GiB"),
        (7_552_534_667, "7.1 GiB"),
        (8 * 2**30, "8 GiB"),
    ],
)
def test_an_amount_that_is_told_is_enough(count: int, told: str) -> None:
    assert enough_text(count) == told
    assert parse_bytes(told) >= count


def test_what_is_beside_the_tensors_is_planned_with_them() -> None:
    assert fitting(Peaks(), 24, Allowance(382, 7), "it") == (Way(24), padded(340) + 7)
    assert fitting(Peaks(), 24, Allowance(381, 7), "it")[0] == Way(12)


def test_ways_down_end_with_recomputation() -> None:
    assert ways_down(Way(4), 8) == [Way(2), Way(1), Way(1, recompute=True)]
    assert ways_down(Way(4, recompute=True), 8) == [Way(2, True), Way(1, True)]
    assert ways_down(Way(1, recompute=True), 8) == []
    assert divisors(12) == [12, 6, 4, 3, 2, 1]


def test_amounts() -> None:
    assert parse_bytes("8GiB") == 8 * 2**30
    assert parse_bytes("1.5 gb") == 1_500_000_000
    assert parse_bytes("512 B") == 512
    for wrong in ("", "GiB", "-1GiB", "8 parsecs", "0MB", "1e9"):
        with pytest.raises(BenchError, match="no amount of memory"):
            parse_bytes(wrong)
    assert [bytes_text(n) for n in (5, 2048, 3 * 2**20, 2**31)] == [
        "5 B",
        "2 KiB",
        "3 MiB",
        "2.0 GiB",
    ]
