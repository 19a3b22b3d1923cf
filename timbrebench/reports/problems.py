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
    """Rows whose status is not ok; rows of one metric with one reason are one problem."""
    found: dict[tuple[str, ...], list[tuple[str, str, str, int]]] = {}
    for system, cells in owned.items():
        for evidence in cells:
            for row in evidence.rows:
                if row["status"] != "ok":
                    key = (system.dataset, row["status"], row["metric"], row["reason"])
                    place = (system.label, row["task"], row["item"], evidence.cell.seed)
                    found.setdefault(key, []).append(place)
    return [
        Problem(
            dataset=dataset,
            status=status,
            metric=metric,
            reason=reason,
            labels=_distinct(label for label, _, _, _ in places),
            tasks=_distinct(task for _, task, _, _ in places),
            items=_distinct(item for _, _, item, _ in places),
            seeds=tuple(sorted({seed for _, _, _, seed in places})),
        )
        for (dataset, status, metric, reason), places in found.items()
    ]


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(names) if name)
