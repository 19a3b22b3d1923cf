"""Which budgets may be held against each other."""

from pathlib import Path
from typing import Any

import pytest

from timbrebench.core.compute import computes_of, may_rank
from timbrebench.core.results import CellRecord, RunRecord

A_DIRECTION = {"budget_per": "direction", "budget_fractions": ["1/4", "1/2"]}


def cell(label: str, amount: float, trains: bool = True) -> CellRecord:
    budget = {"kind": "steps", "amount": amount}
    stages = ("stage",) if trains else ()
    key = f"{label} {amount:g}"
    return CellRecord(
        key, label, label, False, "none", "c", ("a:b",), 0, "ok", budget=budget, stages=stages
    )


CASES: list[tuple[str, dict[str, Any], CellRecord, CellRecord, bool]] = [
    ("equal", {}, cell("palette", 40), cell("regress", 40), True),
    ("more", {}, cell("palette", 10), cell("regress", 40), False),
    ("untrained", {}, cell("palette", 10), cell("copy", 40, trains=False), True),
    ("a direction, more of them", A_DIRECTION, cell("palette", 10), cell("ldm", 15), True),
    ("a direction, whole steps", A_DIRECTION, cell("palette", 5), cell("ldm", 7), True),
    ("a direction, another share", A_DIRECTION, cell("palette", 10), cell("ldm", 7), False),
]


@pytest.mark.parametrize(("config", "one", "other", "may"), [c[1:] for c in CASES])
def test_only_equal_budgets_are_held_against_each_other(
    config: dict[str, Any], one: CellRecord, other: CellRecord, may: bool
) -> None:
    """Of 10 steps a direction, and halves of it: palette does two tasks, ldm three."""
    known = [cell("palette", 10), cell("palette", 5), cell("ldm", 15), cell("ldm", 7)]
    computes = computes_of(RunRecord(Path("run"), config, {}, [*known, one, other], {}, []))
    assert may_rank(computes[one.key], computes[other.key]) == may
