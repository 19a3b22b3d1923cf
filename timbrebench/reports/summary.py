"""Runs → :class:`Summary`: tables, warnings and failures. Pure data, from rows alone."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from timbrebench.core.results import RunRecord
from timbrebench.reports import problems
from timbrebench.reports.aggregate import entries_of
from timbrebench.reports.choices import choices_of
from timbrebench.reports.compare import beaten
from timbrebench.reports.costs import cost_notes
from timbrebench.reports.declared import compared
from timbrebench.reports.lookup import found_of
from timbrebench.reports.records import Column, Summary, System, Table
from timbrebench.reports.suites import in_grids, suite_report
from timbrebench.reports.systems import Evidence, Row, gather, systems_of
from timbrebench.reports.tables import cost_table, quality_tables
from timbrebench.reports.wording import rank_of


def summarise(runs: Sequence[RunRecord]) -> Summary:
    """What the runs found. The same runs give the same summary."""
    every = systems_of(gather(runs))
    entries = {system: entries_of(cells) for system, cells in every.items()}
    suites = [found_of(run, every, entries) for run in runs if run.suite]
    apart = {system for found in suites for system in in_grids(found)}
    owned = {system: cells for system, cells in every.items() if system not in apart}
    headline: list[Table] = []
    details: list[Table] = []
    costs: list[Table] = []
    for dataset in dict.fromkeys(system.dataset for system in owned):
        own = {s: cells for s, cells in owned.items() if s.dataset == dataset}
        columns = _columns([evidence for cells in own.values() for evidence in cells])
        measured = {system: entries[system] for system in own}
        first, rest = quality_tables(measured, columns)
        headline += [replace(t, notes=(*t.notes, *_precision(runs, own))) for t in first]
        details += rest
        table = cost_table(measured, columns)
        costs.append(replace(table, notes=(*table.notes, *cost_notes(own, runs))))
    scores = problems.scores_without_value(every)
    return Summary(
        runs=tuple(run.path.name for run in runs),
        systems=tuple(owned),
        headline=tuple(headline),
        tables=tuple(details),
        costs=tuple(costs),
        warnings=tuple(b for table in (*headline, *details) for b in beaten(table)),
        failures=(
            *problems.failed_cells(every),
            *(p for p in scores if p.status != problems.SKIPPED),
        ),
        skipped=tuple(p for p in scores if p.status == problems.SKIPPED),
        notes=(*_notes(list(owned), headline), *_unread(runs)),
        suites=tuple(map(suite_report, suites)),
        choices=choices_of(owned),
        comparisons=compared(runs, _columns([e for cells in every.values() for e in cells])),
    )


def to_json(summary: Summary) -> dict[str, Any]:
    """The summary as JSON-able data."""
    return asdict(summary)


def _columns(cells: Sequence[Evidence]) -> tuple[Column, ...]:
    """A column for each metric that a row names; unit and direction from a measured row, one that
    has a direction if any has."""
    rows = [row for evidence in cells for row in evidence.rows]
    found: dict[str, Column] = {}
    for row in sorted(rows, key=lambda r: (r["status"] != "ok", r["higher_is_better"] is None)):
        name, direction = row["metric"], row["higher_is_better"]
        found.setdefault(name, Column(name, row["unit"] or "", direction, cost=not row["task"]))
    silent = {name for name in found if _flags_nothing(name, rows)}
    return tuple(found[name] for name in sorted(found.keys() - silent, key=rank_of))


def _flags_nothing(metric: str, rows: Sequence[Row]) -> bool:
    """Whether a measure that is neither better high nor low is 0 wherever it was measured."""
    bare = metric.partition("[")[0]  # both halves of a pair, or neither
    own = [r for r in rows if r["metric"].partition("[")[0] == bare and r["status"] == "ok"]
    return bool(own) and all(r["higher_is_better"] is None and r["value"] == 0 for r in own)


def _precision(runs: Sequence[RunRecord], own: Mapping[System, Sequence[Evidence]]) -> list[str]:
    """What was trained in, with the names of runs that differ in it."""
    trained = {e.run for cells in own.values() for e in cells if e.compute}
    names: dict[str, list[str]] = {}
    for run in runs:
        if run.path.name in trained and (precision := run.config.get("precision")):
            names.setdefault(str(precision), []).append(run.path.name)
    told = [p if len(names) == 1 else f"{p} ({', '.join(of)})" for p, of in names.items()]
    return [f"Trained in {', '.join(told)}."] if told else []


def _notes(systems: Sequence[System], headline: Sequence[Table]) -> tuple[str, ...]:
    notes = []
    trained = [s for s in systems if not s.control and s.done]
    if trained and all(len(system.done) == 1 for system in trained):
        notes.append("One seed: how much a second training would differ is not known.")
    kinds = sorted({s.supervision for s in systems if not s.control})
    if len(kinds) > 1:
        notes.append(
            f"Methods differ in supervision ({', '.join(kinds)}): the best is marked over all of "
            "them; rank within a kind."
        )
    if len({s.compute for s in systems if s.compute and not s.control}) > 1:
        notes.append("Budgets differ: the best, tiers and rivals are those of one budget.")
    if any(len(table.blocks) > 1 for table in headline):
        notes.append("Some rows rest on other test items: they stand in blocks of their own.")
    return tuple(notes)


def _unread(runs: Sequence[RunRecord]) -> list[str]:
    """What of the folders could not be read."""
    return [f"{run.path.name}: {words}." for run in runs for words in run.told]
