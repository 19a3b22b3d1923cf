"""What a run's suite lays out → sheets and grids: published figures beside measured ones."""

from timbrebench.core.layouts import Figure, Measured, SuiteTable
from timbrebench.reports.heatmaps import grid_of
from timbrebench.reports.lookup import Found, exact, shown_entry
from timbrebench.reports.records import Entry, Sheet, SheetRow, Shown, SuiteReport, System


def sheet_of(table: SuiteTable, found: Found) -> Sheet:
    """The table with this run's figures; columns in which nothing was measured are left out."""
    entries = [
        [found.entry(f) if isinstance(f, Measured) else None for f in row.figures]
        for row in table.rows
    ]
    empty = {
        i
        for i, column in enumerate(table.columns)
        if not column.published
        and all(
            r.figures[i] is None or own[i] is not None
            for r, own in zip(table.rows, entries, strict=True)
        )
        and not any(e is not None and e.value is not None for e in (own[i] for own in entries))
    }
    kept = [i for i in range(len(table.columns)) if i not in empty]
    rows = tuple(
        SheetRow(
            row.label, tuple(_shown(row.figures[i], own[i]) for i in kept), row.group, row.source
        )
        for row, own in zip(table.rows, entries, strict=True)
    )
    names = [table.columns[i].name for i in sorted(empty)]
    lacking = [f"No value of {', '.join(names)} in this run."] if names else []
    return Sheet(
        title=table.title,
        headings=tuple(table.columns[i].name for i in kept),
        rows=rows,
        published=sum(table.columns[i].published for i in kept),
        notes=(*_sources(table), *table.notes, *lacking),
    )


def _sources(table: SuiteTable) -> list[str]:
    sources = dict.fromkeys(row.source for row in table.rows if row.source)
    return [f"Published figures: {'; '.join(sources)}."] if sources else []


def _shown(figure: Figure, entry: Entry | None) -> Shown:
    if entry is not None:
        return shown_entry(entry)
    if figure is None or isinstance(figure, Measured):
        return Shown()
    return Shown(figure if isinstance(figure, str) else exact(float(figure)))


# ---------------------------------------------------------------------------- the whole


def suite_report(found: Found) -> SuiteReport:
    """The suite of a run: its notes, its sheets, its grids."""
    suite = found.run.suite
    assert suite is not None
    return SuiteReport(
        run=found.run.path.name,
        title=f"{suite.layout.title} ({suite.scale})",
        notes=suite.layout.notes,
        sheets=tuple(sheet_of(table, found) for table in suite.layout.tables),
        grids=tuple(grid_of(grid, found) for grid in suite.layout.grids),
    )


def in_grids(found: Found) -> set[System]:
    """The systems that stand in heat maps: tables, costs and curves leave them out."""
    suite = found.run.suite
    assert suite is not None
    return {
        found.systems[grid.part, label]
        for grid in suite.layout.grids
        for label in grid.cells
        if (grid.part, label) in found.systems
    }


def on_diagonals(found: Found) -> set[System]:
    """Those of them that are matched: a page plays them."""
    suite = found.run.suite
    assert suite is not None
    return {
        found.systems[grid.part, label]
        for grid in suite.layout.grids
        for label in grid.diagonal
        if (grid.part, label) in found.systems
    }
