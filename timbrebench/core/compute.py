"""Which cells could train for as much as which, so that what they came to may be ranked. Light."""

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction

from timbrebench.core.results import CellRecord, RunRecord


def computes_of(run: RunRecord) -> dict[str, str]:
    """A cell's key → words that are equal for two cells whose budgets may be held against each
    other; '' for a cell that trained nothing.

    A budget a direction is as much again for each task that a system does: systems that do other
    numbers of tasks are held against each other by their share of it.
    """
    if run.config.get("budget_per") != "direction":
        told = {c.key: json.dumps(dict(c.budget), sort_keys=True) for c in run.cells if c.stages}
        return {cell.key: told.get(cell.key, "") for cell in run.cells}
    most: dict[tuple[str, str], float] = {}  # that a system has
    for cell in run.cells:
        place = cell.dataset, cell.label
        most[place] = max(most.get(place, 0.0), _amount(cell))
    whole = json.dumps([run.config.get("budget"), run.config.get("preset")], sort_keys=True)
    fractions = [str(f) for f in run.config.get("budget_fractions") or ("1",)]
    return {
        c.key: f"{_share(c, most, fractions)} of {whole} a direction" * bool(c.stages)
        for c in run.cells
    }


def may_rank(one: str, other: str) -> bool:
    """Whether systems of these computes may be ranked: that of neither is more than the other's,
    and what trains nothing stands beside any."""
    return one == other or not one or not other


def _amount(cell: CellRecord) -> float:
    return float(cell.budget.get("amount", 0.0))


def _share(
    cell: CellRecord, most: Mapping[tuple[str, str], float], fractions: Sequence[str]
) -> str:
    """The run's fraction that is nearest to what the cell has of the most that its system has:
    steps are whole ones, so that shares are not exact."""
    had = _amount(cell) / (most[cell.dataset, cell.label] or 1.0)
    largest = max(map(Fraction, fractions))
    return min(fractions, key=lambda f: abs(float(Fraction(f) / largest) - had))
