"""Entries of systems → the tables of one dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from timbrebench.core.results import OTHER_HALF
from timbrebench.reports.aggregate import overall
from timbrebench.reports.compare import blocks_of, by_compute
from timbrebench.reports.records import (
    ABSENT,
    OVERALL,
    Block,
    Column,
    Entry,
    Line,
    System,
    Table,
)
from timbrebench.reports.wording import HEADLINE_COSTS, TIERED, names_text, number, of_half, plain

COUNTERPART = "target"  # what a pair metric's rows are held against
BOUNDS = (("floor", "other real music"), ("ceiling", "the unchanged source"))

Entries = Mapping[tuple[str, str], Entry]  # (task, metric) → entry
Measured = Mapping[System, Entries]


def kind_of(task: str) -> str:
    """transfer, generate or pair, from a task's name: their metrics mean different things."""
    kind = task.split(":", 1)[0]
    return kind if kind in ("generate", "pair") else "transfer"


def quality_tables(
    measured: Measured, columns: Sequence[Column]
) -> tuple[list[Table], list[Table]]:
    """(headline, details). A kind with one task has it as headline; with several, their mean."""
    kinds: dict[str, list[str]] = {}
    for task in dict.fromkeys(task for system in measured for task in system.tasks):
        kinds.setdefault(kind_of(task), []).append(task)
    costs = [c for c in columns if c.cost and c.metric in HEADLINE_COSTS]
    quality = [c for c in columns if not c.cost]
    headline, details = [], []
    for kind, tasks in kinds.items():
        if len(tasks) == 1:
            headline.append(_table(tasks[0], (), measured, [*quality, *costs]))
        else:
            name = OVERALL if len(kinds) == 1 else f"{OVERALL} ({kind})"
            headline.append(_table(name, tuple(tasks), measured, [*quality, *costs]))
            details += [_table(task, (), measured, quality) for task in tasks]
    return headline, details


def cost_table(measured: Measured, columns: Sequence[Column]) -> Table:
    """What every system took: time, memory, size."""
    return _table("", (), measured, [c for c in columns if c.cost])


def _table(
    task: str, tasks: tuple[str, ...], measured: Measured, columns: Sequence[Column]
) -> Table:
    """``tasks``: those that an overall table is the mean over; () for any other table."""
    concerned = set(tasks or (task,))
    if tasks:  # what is of one instrument of a pair has no mean over pairs
        columns = [c for c in columns if not of_half(c.metric)]
    lines = [
        Line(system, {c.metric: _entry(system, entries, task, tasks, c) for c in columns})
        for system, entries in measured.items()
        if not task or concerned & set(system.tasks)
    ]
    lines = [line for line in lines if not _foreign(line, columns)]
    columns = [_without_direction(c) if _between_halves(c, lines) else c for c in columns]
    shown = [c for c in columns if any(line.entry(c).value is not None for line in lines)]
    blocks = blocks_of(_sorted(lines, shown), shown)
    notes = [*_notes(lines, shown, blocks, tasks), *_empty_columns(columns, shown, lines)]
    dataset = next(iter(measured)).dataset
    return Table(dataset, task, tuple(shown), blocks, tasks, tuple(notes))


def _between_halves(column: Column, lines: Sequence[Line]) -> bool:
    """Whether a measure says how alike the halves of a pair are, which is neither good nor bad."""
    return any(line.entry(column).reference == OTHER_HALF for line in lines)


def _without_direction(column: Column) -> Column:
    return replace(column, higher_is_better=None)


def _foreign(line: Line, columns: Sequence[Column]) -> bool:
    """Whether a system does nothing of what a table is about: no failure, and no row."""
    found = {line.entry(c).status for c in columns if not c.cost}
    nothing = "not_applicable" in found and found <= {"not_applicable", "absent"}
    return line.system.status == "ok" and nothing


def _entry(
    system: System, entries: Entries, task: str, tasks: Sequence[str], column: Column
) -> Entry:
    if column.cost or not tasks:
        return _of_task(system, entries, "" if column.cost else task, column.metric)
    return overall({t: _of_task(system, entries, t, column.metric) for t in tasks})


def _of_task(system: System, entries: Entries, task: str, metric: str) -> Entry:
    """The entry, or why there is none: the cell failed, or this was not measured."""
    if (task, metric) in entries:
        return entries[task, metric]
    if task and task not in system.tasks:
        return Entry(status="not_applicable", reason="not among its tasks")
    return ABSENT if system.status == "ok" else Entry(status=system.status, reason=system.reason)


def _sorted(lines: Sequence[Line], columns: Sequence[Column]) -> list[Line]:
    """By the first column that has a direction, best first; lines without a value last."""
    key = next((c for c in columns if c.higher_is_better is not None), None)

    def place(line: Line) -> tuple[bool, float]:
        value = line.entry(key).value if key else None
        sign = -1 if key and key.higher_is_better else 1
        return (value is None, sign * (value or 0.0))

    return sorted(lines, key=place)


# ---------------------------------------------------------------------------- notes


def _notes(
    lines: Sequence[Line], shown: Sequence[Column], blocks: Sequence[Block], tasks: Sequence[str]
) -> list[str]:
    notes = [f"Mean over {len(tasks)} tasks: {', '.join(tasks)}."] if tasks else []
    lacking: dict[str, list[str]] = {}  # reason → labels
    for line in lines:
        reasons = [e.reason for c in shown if (e := line.entry(c)).status == "incomplete"]
        for reason in dict.fromkeys(reasons):
            lacking.setdefault(reason, []).append(line.system.label)
    notes += [f"{names_text(labels)}: {reason}." for reason, labels in lacking.items()]
    notes += [block.note for block in blocks if block.note]
    notes += _tiers(blocks[0].methods if blocks else (), shown)
    notes += _references(lines, shown)
    for column in shown:
        counts = [e.n for line in lines if (e := line.entry(column)).grey and e.n]
        if counts:
            told = " to ".join(map(str, sorted({min(counts), max(counts)})))
            notes.append(
                f"{column.metric} rests on {told} vectors, too few to be exact (grey on the page)."
            )
    return notes


def _tiers(methods: Sequence[Line], shown: Sequence[Column]) -> list[str]:
    """Ranks as far as the test tracks can tell methods apart, where they can at all: of the
    methods of one budget."""
    notes = []
    for column in (c for c in shown if c.metric in TIERED):
        for own in by_compute(methods):
            tiers: dict[int, list[str]] = {}
            for line in own:
                if tier := line.entry(column).tier:
                    tiers.setdefault(tier, []).append(line.system.label)
            if tiers:
                told = "; ".join(f"{n}. {', '.join(names)}" for n, names in sorted(tiers.items()))
                notes.append(f"Tiers in {column.metric}: {told}.")
    return notes


def _references(lines: Sequence[Line], shown: Sequence[Column]) -> list[str]:
    """What each set distance was measured against, as its first row tells."""
    notes = []
    for column in shown:
        entries = [line.entry(column) for line in lines]
        told = next((e for e in entries if e.value is not None), None)
        of_set = told and told.reference and not told.by_item and told.reference != COUNTERPART
        if told and of_set and not column.cost:
            details = {k: v for k, v in told.details.items() if k in ("embedding", "n_reference")}
            parts = [f"{column.metric} against {told.reference}", plain(details)]
            parts += [_bound(told.details, *words) for words in BOUNDS]
            notes.append(f"{'; '.join(p for p in parts if p)}.")
    return notes


def _bound(details: Mapping[str, Any], name: str, what: str) -> str:
    """'real music (test tracks of piano) has 18.8 with 100 vectors'."""
    bound = details.get(name)
    if not isinstance(bound, Mapping) or not isinstance(bound.get("value"), float):
        return ""
    vectors = f" with {bound['n']} vectors" if bound.get("n") else ""
    return f"{what} ({bound.get('of', '')}) has {number(bound['value'])}{vectors}"


def _empty_columns(
    columns: Sequence[Column], shown: Sequence[Column], lines: Sequence[Line]
) -> list[str]:
    """Names of metrics that were asked for and gave no value at all."""
    hidden = [c for c in columns if c not in shown]
    tried = [
        c.metric
        for c in hidden
        if any(line.entry(c).status in ("failed", "missing") for line in lines)
    ]
    return [f"No value of {names_text(tried)}: see the failures."] if tried else []
