"""What a run left, as records that reports read. Reports see only these, and audio files."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# A tidy row is a mapping with at least these keys; ``benchmarks.store`` writes them.
ROW_FIELDS = (
    "run",  # name of the run folder
    "cell",  # key of the cell
    "method",  # its label, such as 'palette' or 'palette[objective=noise]'
    "dataset",
    "task",  # Task.name; '' for what belongs to the whole cell
    "seed",
    "metric",
    "item",  # track, or '' for an aggregate
    "value",  # None unless status is ok
    "unit",
    "higher_is_better",
    "n",  # items behind an aggregate; vectors behind a set distance
    "status",  # ok | failed | missing | not_applicable
    "reason",
    "reference",  # what it was measured against
    "details",  # mapping: per-metric provenance
)


@dataclass(frozen=True)
class ItemRecord:
    """One estimate, and what it was made from and is compared with (FLAC files)."""

    task: str
    track: str
    estimate: Path
    source: Path | None
    reference: Path | None
    other: Path | None = None  # of a pair: the half by the second instrument


@dataclass(frozen=True)
class StageRecord:
    """A trained stage (models/KEY/stage.json and curve.jsonl)."""

    key: str
    name: str
    status: str  # ok | unfinished
    steps: int
    seconds: float | None
    flops: float | None
    parameters: Mapping[str, int]  # by component
    curve: Sequence[Mapping[str, Any]] = ()  # step, seconds, loss, valid_loss, lr, parts
    memory: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CellRecord:
    """A cell and its outcome (cells/KEY/)."""

    key: str
    label: str
    method: str
    control: bool
    supervision: str  # paired | unpaired | none
    dataset: str
    tasks: Sequence[str]
    seed: int
    status: str  # ok | failed | oom | timeout | killed | interrupted | impossible | pending
    phase: str = ""  # where it ended, if not ok
    reason: str = ""
    log_tail: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    budget: Mapping[str, Any] = field(default_factory=dict)
    stages: Sequence[str] = ()  # keys
    outcome: Mapping[str, Any] = field(default_factory=dict)  # times, memory, vocoder
    items: Sequence[ItemRecord] = ()


@dataclass(frozen=True)
class RunRecord:
    """One run folder."""

    path: Path
    config: Mapping[str, Any]  # what run.json holds
    environment: Mapping[str, Any]
    cells: Sequence[CellRecord]
    stages: Mapping[str, StageRecord]
    rows: Sequence[Mapping[str, Any]]  # tidy rows, ROW_FIELDS
    corpus: Mapping[str, Any] = field(default_factory=dict)  # name, tracks, …; or such by dataset
    suite: "SuiteRecord | None" = None  # of which it is a run


# ---------------------------------------------------------------------------- suites


@dataclass(frozen=True)
class Measured:
    """Where a figure of a suite's table is found in its run."""

    part: str  # of the suite: one of its configurations
    method: str  # a cell's label
    # A metric's row; or 'parameters:STAGE.COMPONENT', 'curve:STAGE/NAME': what the curve of a
    # stage has of a name, at the weights that were kept.
    quantity: str
    tasks: tuple[str, ...] = ()  # that it is the mean over; () for what belongs to the cell
    scale: float = 1.0  # brings it to the unit of the table


Figure = float | str | Measured | None  # a published number or word; one of this run; nothing


@dataclass(frozen=True)
class SuiteColumn:
    """A heading of a suite's table."""

    name: str
    published: bool = False


@dataclass(frozen=True)
class SuiteRow:
    """A figure for each column."""

    label: str
    figures: tuple[Figure, ...]
    group: str = ""  # rows of one group stand under its name
    source: str = ""  # of its published figures


@dataclass(frozen=True)
class SuiteTable:
    """Published figures with the measured ones beside them."""

    title: str
    columns: tuple[SuiteColumn, ...]
    rows: tuple[SuiteRow, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SuiteGrid:
    """Cells that differ in two options only: a heat map for each task and metric."""

    title: str
    part: str
    x: str  # name of the option across
    y: str
    cells: Mapping[str, tuple[float, float]]  # label → value of x, of y
    diagonal: tuple[str, ...]  # labels of matched cells, by rising x
    tasks: tuple[str, ...]
    timbre: tuple[str, ...]  # metrics, the first that has values speaks for the trade-off
    content: tuple[str, ...]
    baseline: str = "copy"  # label of what the ends are held against
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SuiteLayout:
    """What a report shows of a suite. Plain data: it stands in run.json."""

    title: str
    notes: tuple[str, ...] = ()
    tables: tuple[SuiteTable, ...] = ()
    grids: tuple[SuiteGrid, ...] = ()


@dataclass(frozen=True)
class SuiteRecord:
    """A suite as it was run."""

    name: str
    scale: str
    layout: SuiteLayout
    parts: Mapping[str, Sequence[str]]  # part → keys of its cells


def layout_from_json(data: Mapping[str, Any]) -> SuiteLayout:
    """The layout that ``dataclasses.asdict`` made plain. KeyError, TypeError if it is none."""
    return SuiteLayout(
        title=data["title"],
        notes=tuple(data["notes"]),
        tables=tuple(map(_table_from, data["tables"])),
        grids=tuple(map(_grid_from, data["grids"])),
    )


def _table_from(data: Mapping[str, Any]) -> SuiteTable:
    columns = tuple(SuiteColumn(**column) for column in data["columns"])
    rows = tuple(
        SuiteRow(**(row | {"figures": tuple(map(_figure_from, row["figures"]))}))
        for row in data["rows"]
    )
    return SuiteTable(data["title"], columns, rows, tuple(data["notes"]))


def _figure_from(value: Any) -> Figure:
    if isinstance(value, Mapping):
        return Measured(**{**value, "tasks": tuple(value["tasks"])})
    return value


def _grid_from(data: Mapping[str, Any]) -> SuiteGrid:
    cells = {label: (x, y) for label, (x, y) in data["cells"].items()}
    lists = {name: tuple(value) for name, value in data.items() if isinstance(value, list | tuple)}
    return SuiteGrid(**{**data, **lists, "cells": cells})


# ---------------------------------------------------------------------------- rows as text


def to_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """One line a row, fields as in ROW_FIELDS; ``details`` as JSON, None as an empty field."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(ROW_FIELDS)
    writer.writerows([_field(row, name) for name in ROW_FIELDS] for row in rows)
    return file.getvalue()


def _field(row: Mapping[str, Any], name: str) -> Any:
    value = row.get(name)
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return "" if value is None else value
