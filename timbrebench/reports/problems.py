"""Cells that did not end well and scores that are not there, each with its reason."""

from collections.abc import Iterable, Mapping, Sequence

from timbrebench.reports.records import Problem, System
from timbrebench.reports.systems import Evidence

SKIPPED = "not_applicable"
Owned = Mapping[System, Sequence[Evidence]]


def failed_cells(owned: Owned) -> list[Problem]:
    """One problem a cell: each has a log of its own."""
    return [
        Problem(
            dataset=system.dataset,
            labels=(system.label,),
            status=evidence.cell.status,
            reason=evidence.cell.reason,
            seeds=(evidence.cell.seed,),
            phase=evidence.cell.phase,
            log_tail=evidence.cell.log_tail,
        )
        for system, cells in owned.items()
        for evidence in cells
        if evidence.cell.status != "ok"
    ]


def scores_without_value(owned: Owned) -> list[Problem]:
    """Rows whose status is not ok; rows with one reason are one problem."""
    found: dict[tuple[str, str, str], list[tuple[str, str, str, str, int]]] = {}
    for system, cells in owned.items():
        for evidence in cells:
            for row in evidence.rows:
                if row["status"] != "ok":
                    key = (system.dataset, row["status"], row["reason"])
                    found.setdefault(key, []).append(
                        (row["metric"], system.label, row["task"], row["item"], evidence.cell.seed)
                    )
    return [
        Problem(
            dataset=dataset,
            status=status,
            reason=reason,
            metrics=_distinct(place[0] for place in places),
            labels=_distinct(place[1] for place in places),
            tasks=_distinct(place[2] for place in places),
            items=_distinct(place[3] for place in places),
            seeds=tuple(sorted({place[4] for place in places})),
        )
        for (dataset, status, reason), places in found.items()
    ]


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(names) if name)
