"""The summary for a terminal, with rich."""

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from timbrebench.reports.grid import (
    grouped,
    items_text,
    line_texts,
    main_columns,
    problem_text,
    sections,
    sheet_headings,
    sheets,
    suite_words,
    title_of,
)
from timbrebench.reports.records import (
    Beaten,
    Column,
    Entry,
    Sheet,
    SuiteReport,
    Summary,
    Table,
)
from timbrebench.reports.wording import arrow, number, unit_text

LABEL_WIDTH = 32
MOST_LISTED = 12  # warnings or failures; the page has them all


def terminal_table(summary: Summary) -> RenderableType:
    """The suites, the headline tables, then warnings and failures."""
    parts: list[RenderableType] = [p for report in summary.suites for p in _suite(report)]
    parts += [_Fitted(table) for table in summary.headline]
    notes = [*summary.notes, *(n for table in summary.headline for n in table.notes)]
    parts += [Text(note, style="dim") for note in dict.fromkeys(notes)]
    parts += _listed("A control is better", "yellow", [_beaten(w) for w in summary.warnings])
    parts += _listed("Failed or missing", "red", [problem_text(p, 3) for p in summary.failures])
    return Group(*parts)


def _suite(report: SuiteReport) -> list[RenderableType]:
    """Its tables, its heat maps as tables, and what they show."""
    parts: list[RenderableType] = [Text(report.title, style="bold")]
    for sheet in sheets(report):
        parts += [_sheet(sheet), *(Text(note, style="dim") for note in sheet.notes), Text("")]
    return [*parts, *(Text(text, style="dim") for text in suite_words(report)), Text("")]


def _sheet(sheet: Sheet) -> RichTable:
    title = escape(sheet.title)
    rich_table = RichTable(title=title, title_justify="left", box=None, header_style="bold")
    rich_table.add_column(escape(sheet.corner), max_width=LABEL_WIDTH, no_wrap=True)
    for heading in sheet_headings(sheet, " publ."):
        name = escape(heading.replace(" ", "\n"))
        rich_table.add_column(name, justify="right", overflow="fold")
    for group, rows in grouped(sheet):
        if group:
            rich_table.add_row(Text(group, style="italic dim"))
        for row in rows:
            cells = (Text(c.text, style="bold" if c.marked else "") for c in row.cells)
            rich_table.add_row(escape(row.label), *cells)
    return rich_table


class _Fitted:
    """A table with as many of its columns, from the left, as the terminal is wide."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = list(main_columns(self.table))
        while len(columns) > 1 and _width(console, self.table, columns) > options.max_width:
            columns.pop()
        yield _table(self.table, columns)
        if left := len(self.table.columns) - len(columns):
            yield Text(f"{left} more measures are in the report's files.", style="dim")


def _width(console: Console, table: Table, columns: list[Column]) -> int:
    return console.measure(
        _table(table, columns), options=console.options.update(max_width=10_000)
    ).maximum


def _table(table: Table, columns: list[Column]) -> RichTable:
    items = ", ".join(dict.fromkeys(t for b in table.blocks if (t := items_text(b))))
    title = escape(title_of(table)) + (f" · {items}" if items else "")
    rich_table = RichTable(title=title, title_justify="left", box=None, header_style="bold")
    rich_table.add_column("", no_wrap=True, max_width=LABEL_WIDTH)
    for name in ("super-\nvision", "seeds"):
        rich_table.add_column(name, no_wrap=True)
    for column in columns:
        rich_table.add_column(_heading(column), justify="right", no_wrap=True)
    for section in sections(table):
        rich_table.add_row(Text(section.title, style="italic dim"))
        for line in section.lines:
            texts = line_texts(line, columns, _mark)
            rich_table.add_row(escape(texts[0]), *texts[1:])
    return rich_table


def _heading(column: Column) -> str:
    unit = f" {unit_text(column)}" if unit_text(column) else ""
    return escape(f"{column.metric}{unit} {arrow(column)}".strip().replace("_", "_\n"))


def _mark(text: str, entry: Entry, column: Column) -> str:
    text = escape(text)
    if entry.value is None:
        return f"[red]{text}[/]" if entry.status not in ("not_applicable", "absent") else text
    style = "bold" if entry.best else "dim" if entry.grey else ""
    return f"[{style}]{text}[/]" if style else text


def _listed(title: str, style: str, told: list[str]) -> list[RenderableType]:
    if not told:
        return []
    rest = len(told) - MOST_LISTED
    lines = told[:MOST_LISTED] + ([f"… and {rest} more (see the page)"] if rest > 0 else [])
    return [Text(f"\n{title}", style=f"bold {style}"), *(Text(f"  {line}") for line in lines)]


def _beaten(warning: Beaten) -> str:
    unit = warning.column.unit
    rivals = ", ".join(f"{r.label} {number(r.value, unit)}" for r in warning.rivals)
    own = f"{warning.label} {number(warning.value, unit)}"
    return f"{warning.column.metric} on {warning.task} ({warning.dataset}): {own}; {rivals}"
