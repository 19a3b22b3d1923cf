"""Amounts of memory."""

import pytest

from timbrebench.core.errors import BenchError
from timbrebench.core.units import bytes_text, parse_bytes

AMOUNTS = [
    ("1B", 1),
    ("8GiB", 2**33),
    ("500 MB", 5 * 10**8),
    ("1.5kib", 1536),
    ("0.25 TB", 25 * 10**10),
]


@pytest.mark.parametrize(("text", "count"), AMOUNTS)
def test_units_are_those_of_the_standards(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2", "'2' is no amount of memory: it has no unit. Like 8GiB, 500MB"),
        ("0.5", "it has no unit"),
        ("0GiB", "'0GiB' is no amount of memory. Like"),
        ("0.0000000001B", "'0.0000000001B' is no amount of memory. Like"),
        ("0.9B", "is no amount"),
        ("8 stone", "is no amount"),
        ("GiB", "is no amount"),
        ("-1GiB", "is no amount"),
        ("1e3MiB", "is no amount"),
    ],
)
def test_what_is_no_amount_is_refused(text: str, told: str) -> None:
    with pytest.raises(BenchError) as found:
        parse_bytes(text)
    assert told in f"{found.value} {found.value.hint}"


def test_bytes_are_told_in_binary_units() -> None:
    assert [bytes_text(n) for n in (3, 2048, 3 * 2**20, 2**33)] == [
        "3 B",
        "2 KiB",
        "3 MiB",
        "8.0 GiB",
    ]
