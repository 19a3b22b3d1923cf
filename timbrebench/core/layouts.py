"""What a report shows of a suite, as plain data: it stands in run.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


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
