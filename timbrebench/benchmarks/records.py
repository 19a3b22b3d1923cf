"""Cells and choices as JSON, for workers and for the store."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.plan import Cell, Choice
from timbrebench.core import corpora, files


def describe(cell: Cell, config: RunConfig) -> dict[str, Any]:
    """cell.json: all that a worker and a report need to know of a cell."""
    return {
        "label": cell.method.label,
        "method": cell.method.name,
        "options": _plain(cell.method.values),
        "code": cell.method.code,
        "control": cell.control,
        "supervision": cell.supervision,
        "dataset": cell.dataset.label,
        "dataset_choice": dataset_record(cell),
        "tasks": [t.name for t in cell.tasks],
        "task_records": [corpora.task_to(t) for t in cell.tasks],
        "seed": cell.seed,
        "budget": dataclasses.asdict(cell.budget),
        "augment": cell.augment,
        "precision": cell.precision,
        "vocoder": {"name": cell.vocoder.name, "values": _plain(cell.vocoder.values)},
        "max_seconds": cell.max_seconds,
        "score_on": cell.score_on,
        "references": files.digest([cell.fingerprint, cell.max_seconds]),
        "device": config.device,
    }


def dataset_record(cell: Cell) -> dict[str, Any]:
    return {
        "name": cell.dataset.name,
        "values": _plain(cell.dataset.values),
        "root": cell.data_root,
        "split": cell.split,
    }


def metric_record(metric: Choice) -> dict[str, Any]:
    """``inputs`` is what decides a set metric's values beside its options: the embedding."""
    return {"name": metric.name, "values": _plain(metric.values), "inputs": list(metric.inputs)}


def asked_of(metrics: Iterable[Choice]) -> list[str]:
    """Hashes of metrics as result.json keeps them: those that a cell was last scored with."""
    return [files.digest(metric_record(metric)) for metric in metrics]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON has them, so that a record equals itself when it is read again."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
