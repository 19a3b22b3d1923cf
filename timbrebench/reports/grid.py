"""A table as cells of text: what the forms without hover or sorting have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from timbrebench.reports.heatmaps import sheet_of_map
from timbrebench.reports.records import (
    Block,
    Column,
    Entry,
    Line,
    Problem,
    Sheet,
    SheetRow,
    SuiteReport,
    Table,
)
from timbrebench.reports.wording import (
    SECONDARY,
    entry_text,
    interval_text,
    names_text,
    of_half,
    seeds_text,
)


@dataclass(frozen=True)
class Section:
    """Rows that may be ranked with each other, methods or controls."""

    title: str
    lines: tuple[Line, ...]


def title_of(table: Table) -> str:
    """'starlet, vibraphone:piano'."""
    return f"{table.dataset}, {table.task or 'costs'}"


def main_columns(table: Table) -> tuple[Column, ...]:
    """The columns to read first: all but those known to be secondary."""
    return tuple(c for c in table.columns if c.metric not in SECONDARY and not of_half(c.metric))


def other_columns(table: Table) -> tuple[Column, ...]:
    """The measures that :func:`main_columns` leaves out; costs have a table of their own."""
    main = main_columns(table)
    return tuple(c for c in table.columns if c not in main and not c.cost)


def sections(table: Table) -> list[Section]:
    """Methods, then controls, block by block; a later block's title says that it is apart."""
    found = []
    for number, block in enumerate(table.blocks):
        apart = f" on other items ({number + 1})" if number else ""
        found += [Section(f"Methods{apart}", block.methods)] if block.methods else []
        found += [Section(f"Controls{apart}", block.controls)] if block.controls else []
    return found


def label_text(line: Line) -> str:
    """The label, with the status of a system that did not end well."""
    system = line.system
    return system.label if system.status == "ok" else f"{system.label} [{system.status}]"


def line_texts(
    line: Line, columns: Sequence[Column], mark: Callable[[str, Entry, Column], str]
) -> list[str]:
    """Label, supervision, seeds, and an entry for each column as ``mark`` dresses it."""
    system = line.system
    seeds = seeds_text(len(system.done), len(system.seeds)).removesuffix("s").removesuffix(" seed")
    entries = [line.entry(column) for column in columns]
    texts = [
        mark(entry_text(entry, column.unit), entry, column)
        for entry, column in zip(entries, columns, strict=True)
    ]
    return [label_text(line), system.supervision, seeds, *texts]


def spread_text(entry: Entry, column: Column) -> str:
    """'±0.03' of a symmetric interval, '[0.1–0.4]' of another, '' without one."""
    if entry.value is None or entry.low is None or entry.high is None:
        return ""
    below, above = entry.value - entry.low, entry.high - entry.value
    if abs(below - above) <= 1e-6 * max(abs(below), abs(above), 1e-12):
        half = Entry(value=above)
        return f"±{entry_text(half, column.unit)}"
    return f"[{interval_text(entry, column.unit)}]"


def problem_text(problem: Problem, most: int = 8) -> str:
    """'fad_vggish, vibraphone:piano, palette and 3 more: missing: no weights'."""
    groups = (problem.metrics, problem.tasks, problem.labels, problem.items)
    what = ", ".join(names_text(names, most) for names in groups if names)
    phase = f" in {problem.phase}" if problem.phase else ""
    return f"{what}: {problem.status}{phase}" + (f": {problem.reason}" if problem.reason else "")


def items_text(block: Block) -> str:
    """'10 test tracks' of a block, '' where no metric has items."""
    count = len(block.items)
    return f"{count} test track{'' if count == 1 else 's'}" if count else ""


# ---------------------------------------------------------------------------- suites


def sheets(report: SuiteReport) -> list[Sheet]:
    """Its tables, then its heat maps as tables."""
    maps = [sheet_of_map(heat) for grid in report.grids for heat in grid.maps]
    return [*report.sheets, *maps]


def suite_words(report: SuiteReport) -> list[str]:
    """What is said of it beside its tables."""
    grids = [text for grid in report.grids for text in (*grid.sentences, *grid.notes)]
    return [*report.notes, *grids]


def grouped(sheet: Sheet) -> list[tuple[str, list[SheetRow]]]:
    """Its rows under the names of their groups, in order."""
    found: dict[str, list[SheetRow]] = {}
    for row in sheet.rows:
        found.setdefault(row.group, []).append(row)
    return list(found.items())


def sheet_headings(sheet: Sheet, word: str = ", published") -> list[str]:
    """Its headings; those of published figures say so, unless that is what they say."""
    return [
        name + (word if i < sheet.published and name != "published" else "")
        for i, name in enumerate(sheet.headings)
    ]
