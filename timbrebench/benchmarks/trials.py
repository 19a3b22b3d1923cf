"""What trials left: a value from the rows of a cell, records and importance from a study. Light:
Optuna is imported when it is asked."""

import statistics
import warnings
from typing import TYPE_CHECKING, Any

from timbrebench.benchmarks import forms
from timbrebench.benchmarks.forms import read
from timbrebench.benchmarks.reading import cell_rows
from timbrebench.benchmarks.store import Store
from timbrebench.core.errors import BenchError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
# Completed trials below which an importance is called unreliable. PED-ANOVA holds the best tenth
# against the rest, and Optuna advises five trials in that tenth.
RELIABLE = 50
_SECONDS = ("train_seconds", "infer_seconds", "vocoder_seconds", "choosing_seconds")


class TrialFailed(Exception):
    """A trial without a value, with the reason."""


def cell_value(store: Store, key: str, measure: str) -> float:
    """A measure's mean over the tasks of a cell.

    TrialFailed where an item or a task has no value: the mean of what is left would be another
    quantity. BenchError where no trial could have one.
    """
    result = read(store.cell(key) / "result.json", forms.RESULT) or {"status": "pending"}
    if result["status"] != "ok":
        where = f" ({result['phase']})" if result.get("phase") else ""
        raise TrialFailed(f"{result['status']}{where}: {result.get('reason', '')}")
    if result.get("failed_items"):
        raise TrialFailed(result.get("reason", ""))
    rows = [r for r in cell_rows(store, store.root.name, key) if r["metric"] == measure]
    for row in rows:
        if row["status"] == "missing":
            raise BenchError(f"{measure} cannot be measured: {row['reason']}")
        if row["status"] == "failed":
            raise TrialFailed(f"{measure} of {row['item'] or row['task']}: {row['reason']}")
    totals = [r for r in rows if not r["item"]]
    values = [r["value"] for r in totals if r["status"] == "ok"]
    if not values:
        reason = totals[0]["reason"] if totals else "the metric gave no row"
        raise BenchError(f"{measure} has no value here: {reason}.", hint="Try another --objective.")
    return statistics.fmean(values)


def cell_seconds(store: Store, key: str) -> float:
    """Of training and inference, as recorded: the same for a cell that was found in the store."""
    outcome = (read(store.cell(key) / "result.json", forms.RESULT) or {}).get("outcome", {})
    return sum(outcome.get(part) or 0.0 for part in _SECONDS)


def record(trial: "FrozenTrial") -> dict[str, Any]:
    """A finished trial as tuning.json has it."""
    known, state = trial.user_attrs, STATES[trial.state.name]
    return {
        "number": trial.number,
        "options": known["options"],
        "value": trial.value if state == "complete" else None,
        "value_at_rung": trial.intermediate_values.get(1),
        "state": state,
        "reason": known.get("reason", ""),
        "seconds": known.get("seconds"),
        "cells": known.get("cells", []),
    }


def importance(study: "Study") -> dict[str, float]:
    """Share of each option in what made the best trials, by PED-ANOVA; empty below two completed
    trials."""
    if sum(t.state.name == "COMPLETE" for t in study.trials) < 2:
        return {}
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    with warnings.catch_warnings(action="ignore"):  # that it was experimental
        return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
