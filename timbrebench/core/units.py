"""Amounts of memory as people write them."""

import math
import re

from timbrebench.core.errors import BenchError

_UNITS = {"B": 1}
_UNITS |= {f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)}
_UNITS |= {f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_BY_NAME = {name.lower(): factor for name, factor in _UNITS.items()}


def parse_bytes(text: str) -> int:
    """'8GiB', '500 MB' … as whole bytes, one at least. BenchError for anything else, a number
    without a unit too: nobody means bytes."""
    found = _AMOUNT.fullmatch(text.strip())
    factor = _BY_NAME.get(found[2].lower()) if found else None
    count = int(float(found[1]) * factor) if found and factor else 0
    if count < 1:
        lacking = ": it has no unit" if found and not found[2] else ""
        raise BenchError(f"'{text}' is no amount of memory{lacking}.", hint="Like 8GiB, 500MB.")
    return count


def enough_text(count: int) -> str:
    """An amount in words that is no less, so that it is enough if it is given back."""
    units = [(2**30, "GiB", 10), (2**20, "MiB", 1), (2**10, "KiB", 1)]
    size, unit, parts = next((u for u in units if count >= u[0]), (1, "B", 1))
    return f"{math.ceil(count * parts / size) / parts:g} {unit}"


def bytes_text(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
