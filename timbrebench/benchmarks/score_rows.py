"""Rows of ``bench score``: one measure over all pairs of files, or of a set of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from timbrebench.core.interfaces import Measure
from timbrebench.core.statistics import mean, t_interval


@dataclass(frozen=True)
class Answer:
    """What a metric said of an item, or of a set: values, or the reason that there are none."""

    values: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    missing: bool = False  # the metric lacks something that a command gets
    details: Mapping[str, Any] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)  # of a set: item → reason


def item_row(m: Measure, found: Mapping[str, Answer]) -> dict[str, Any]:
    """One measure over all pairs. A pair for which it means nothing is in ``not_applicable``."""
    failed = {name: answer.reason for name, answer in found.items() if answer.reason}
    items = {name: a.values[m.name] for name, a in found.items() if m.name in a.values}
    values = list(items.values())
    return {
        "mean": mean(values) if values else None,
        "n": len(items),
        "interval": t_interval(values),
        "items": items,
        "failed": failed,
        "not_applicable": [name for name in found if name not in items and name not in failed],
        "unit": m.unit,
        "higher_is_better": m.higher_is_better,
    }


def set_row(m: Measure, answer: Answer) -> dict[str, Any]:
    """One measure of the whole folder; ``n`` counts vectors. ``mean`` is its value."""
    value = answer.values.get(m.name)
    return {
        "mean": value,
        "value": value,
        "n": answer.details.get("n", 0),
        "interval": answer.details.get("interval"),
        "failed": answer.failed,
        "status": "missing" if answer.missing else "failed" if answer.reason else "ok",
        "reason": answer.reason,
        "details": answer.details,
        "unit": m.unit,
        "higher_is_better": m.higher_is_better,
    }
