"""The declared comparisons of a run: each method against copy and regress, corrected together."""

from collections.abc import Mapping, Sequence
from typing import Any

from timbrebench.core.results import RunRecord
from timbrebench.reports.records import Column, Compared
from timbrebench.reports.wording import budget_text, number

LEVEL = 0.05  # of Holm's p, under which a difference counts
DECLARED_NOTE = (
    "Declared before the run: each method against copy and against regress of its own budget, in "
    "timbre and in content. The difference is the method's value minus the other's over the same "
    "tracks, with its 95 % interval; p is that of changing places track by track, corrected over "
    "all rows of a metric (Holm), so that it is at least the number of rows over 2^(tracks - 1). A "
    "difference counts where p is under 0.05 and the interval leaves out zero. What else differs "
    "in this report is descriptive."
)


def compared(runs: Sequence[RunRecord], columns: Sequence[Column]) -> tuple[Compared, ...]:
    """Those of all runs, in their order. ``columns`` tell the directions."""
    by_metric = {column.metric: column for column in columns}
    rows = [row for run in runs for row in run.comparisons]
    several = {row["method"] for row in rows if len(_budgets(rows, row["method"])) > 1}
    return tuple(_compared(row, by_metric, row["method"] in several) for row in rows)


def _budgets(rows: Sequence[Mapping[str, Any]], method: str) -> set[str]:
    return {budget_text(row.get("budget") or {}) for row in rows if row["method"] == method}


def _compared(row: Mapping[str, Any], columns: Mapping[str, Column], with_budget: bool) -> Compared:
    """``with_budget``: labels say it, since the method has several."""

    def label(name: str, budget: str) -> str:
        told = budget_text(row.get(budget) or {}) if with_budget else ""
        return f"{row[name]} ({told})" if told else row[name]

    column = columns.get(row["metric"], Column(row["metric"]))
    return Compared(
        dataset=row["dataset"],
        task=row["task"],
        column=column,
        label=label("method", "budget"),
        rival=label("rival", "rival_budget"),
        value=row["value"],
        low=row["low"],
        high=row["high"],
        p=row["p_holm"],
        n=row["n"],
        verdict=_verdict(row, column),
    )


def _verdict(row: Mapping[str, Any], column: Column) -> str:
    """A difference counts where p and the interval agree on it. They ask different things: whether
    the systems are alike on these tracks, and what other tracks would show."""
    low, high = row["low"], row["high"]
    spans_zero = low is not None and high is not None and low <= 0 <= high
    if row["p_holm"] >= LEVEL or spans_zero or column.higher_is_better is None:
        return "not separable"
    return "better" if (row["value"] > 0) == column.higher_is_better else "worse"


def difference_text(of: Compared) -> str:
    """'−0.12 (−0.21 to −0.03)'."""
    value = number(of.value, of.column.unit)
    if of.low is None or of.high is None:
        return value
    return f"{value} ({number(of.low, of.column.unit)} to {number(of.high, of.column.unit)})"
