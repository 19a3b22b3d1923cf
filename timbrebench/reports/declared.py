"""The declared comparisons of a run: each method against copy and regress, corrected together."""

from collections.abc import Mapping, Sequence
from typing import Any

from timbrebench.core.results import RunRecord
from timbrebench.reports.records import Column, Compared
from timbrebench.reports.wording import number

LEVEL = 0.05  # of Holm's p, under which a difference counts
DECLARED_NOTE = (
    "Declared before the run: each method against copy and against regress, in timbre and in "
    "content. The difference is the method's value minus the other's over the same tracks, with "
    "its 95 % interval; p is that of changing places track by track, corrected over all rows of a "
    "corpus (Holm). Whatever else differs in this report is descriptive."
)


def compared(runs: Sequence[RunRecord], columns: Sequence[Column]) -> tuple[Compared, ...]:
    """Those of all runs, in their order. ``columns`` tell the directions."""
    by_metric = {column.metric: column for column in columns}
    return tuple(_compared(row, by_metric) for run in runs for row in run.comparisons)


def _compared(row: Mapping[str, Any], columns: Mapping[str, Column]) -> Compared:
    column = columns.get(row["metric"], Column(row["metric"]))
    return Compared(
        dataset=row["dataset"],
        task=row["task"],
        column=column,
        label=row["method"],
        rival=row["rival"],
        value=row["value"],
        low=row["low"],
        high=row["high"],
        p=row["p_holm"],
        n=row["n"],
        verdict=_verdict(row["value"], row["p_holm"], column),
    )


def _verdict(value: float, p: float, column: Column) -> str:
    if p >= LEVEL or column.higher_is_better is None:
        return "not separable"
    return "better" if (value > 0) == column.higher_is_better else "worse"


def difference_text(of: Compared) -> str:
    """'−0.12 (−0.21 to −0.03)'."""
    value = number(of.value, of.column.unit)
    if of.low is None or of.high is None:
        return value
    return f"{value} ({number(of.low, of.column.unit)} to {number(of.high, of.column.unit)})"
