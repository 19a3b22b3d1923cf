"""The summary as Markdown tables, for a README or an issue."""

import re
from collections.abc import Sequence

from timbrebench.reports.choices import choice_text
from timbrebench.reports.declared import DECLARED_NOTE, difference_text
from timbrebench.reports.grid import (
    grouped,
    items_text,
    line_texts,
    main_columns,
    other_columns,
    problem_text,
    sections,
    sheet_headings,
    sheets,
    spread_text,
    suite_words,
    title_of,
)
from timbrebench.reports.records import Column, Compared, Entry, Sheet, SuiteReport, Summary, Table
from timbrebench.reports.wording import arrow, number, unit_text


def to_markdown(summary: Summary) -> str:
    """The suites, every table, the warnings and the failures."""
    parts = [part for report in summary.suites for part in _suite(report)]
    parts += [_table(t, main_columns(t), t.notes) for t in (*summary.headline, *summary.tables)]
    parts += [_table(t, t.columns, t.notes) for t in summary.costs]
    parts += [_compared(summary.comparisons)]
    parts += [_list("Controls that beat a method", _warnings(summary))]
    parts += [_list("Failed or missing", [escape(problem_text(p)) for p in summary.failures])]
    told = [escape(choice_text(choice)) for choice in summary.choices]
    parts += [_list("Chosen on validation tracks", told)]
    parts += [_list("Notes", [escape(note) for note in summary.notes])]
    parts += [
        _table(t, other_columns(t), (), "other measures")
        for t in (*summary.headline, *summary.tables)
        if other_columns(t)
    ]
    return "\n".join(part for part in parts if part)


def escape(text: str) -> str:
    """Text that Markdown, and HTML in it, takes literally, in one table cell."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|~>#])", r"\\\1", text)


def _table(table: Table, columns: Sequence[Column], notes: Sequence[str], what: str = "") -> str:
    headings = ["", "supervision", "seeds", *map(_heading, columns)]
    rows = [headings, ["---", "---", "---:", *["---:" for _ in columns]]]
    for section in sections(table):
        rows.append([f"*{section.title}*", *["" for _ in headings[1:]]])
        for line in section.lines:
            texts = line_texts(line, columns, _mark)
            rows.append([escape(texts[0]), escape(texts[1]), *texts[2:]])
    items = next((t for block in table.blocks if (t := items_text(block))), "")
    about = f"{title_of(table)}, {what}" if what else title_of(table)
    title = f"### {escape(about)}" + (f" ({items})" if items else "")
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([title, "", *lines, "", *(f"{escape(n)}\n" for n in notes)])


def _compared(comparisons: Sequence[Compared]) -> str:
    if not comparisons:
        return ""
    headings = ["task", "metric", "method", "against", "difference", "p (Holm)", "tracks", ""]
    rows = [headings, ["---", "---", "---", "---", "---:", "---:", "---:", "---"]]
    for of in comparisons:
        place = (f"{of.dataset}, {of.task}", of.column.metric, of.label, of.rival)
        figures = (difference_text(of), number(of.p), str(of.n), of.verdict)
        rows.append([escape(text) for text in (*place, *figures)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(["### Declared comparisons", "", *lines, "", f"{DECLARED_NOTE}\n"])


def _suite(report: SuiteReport) -> list[str]:
    words = "\n".join(f"{escape(text)}\n" for text in suite_words(report))
    return [f"## {escape(report.title)}\n\n{words}", *map(_sheet, sheets(report))]


def _sheet(sheet: Sheet) -> str:
    """Cells of a heat map that are matched are bold."""
    headings = [escape(text) for text in (sheet.corner, *sheet_headings(sheet))]
    rows = [headings, ["---", *("---:" for _ in sheet.headings)]]
    for group, own in grouped(sheet):
        rows += [[f"*{escape(group)}*", *("" for _ in sheet.headings)]] if group else []
        for row in own:
            texts = (escape(cell.text) for cell in row.cells)
            marks = (cell.marked for cell in row.cells)
            bold = [f"**{t}**" if mark else t for t, mark in zip(texts, marks, strict=True)]
            rows.append([escape(row.label), *bold])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    notes = (f"{escape(note)}\n" for note in sheet.notes)
    return "\n".join([f"### {escape(sheet.title)}", "", *lines, "", *notes])


def _heading(column: Column) -> str:
    unit = f" ({escape(unit_text(column))})" if unit_text(column) else ""
    return f"{escape(column.metric)}{unit} {arrow(column)}".strip()


def _mark(text: str, entry: Entry, column: Column) -> str:
    text = escape(text)
    spread = spread_text(entry, column)
    text = f"**{text}**" if entry.best else text
    return f"{text} {escape(spread)}" if spread else text


def _list(title: str, lines: list[str]) -> str:
    return "\n".join([f"### {title}", "", *(f"- {line}" for line in lines), ""]) if lines else ""


def _warnings(summary: Summary) -> list[str]:
    told = []
    for w in summary.warnings:
        rivals = ", ".join(
            f"{escape(rival.label)} {number(rival.value, w.column.unit)}"
            + (" (not separable)" if rival.separated is False else "")
            for rival in w.rivals
        )
        own = f"{escape(w.label)} {number(w.value, w.column.unit)}"
        place = f"{escape(w.dataset)}, {escape(w.task)}, {escape(w.column.metric)}"
        told.append(f"{place}: {own}; better: {rivals}")
    return told
