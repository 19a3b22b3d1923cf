"""The summary as Markdown tables, for a README or an issue."""

import re

from timbrebench.reports.grid import (
    items_text,
    line_texts,
    problem_text,
    sections,
    spread_text,
    title_of,
)
from timbrebench.reports.records import Column, Entry, Summary, Table
from timbrebench.reports.wording import arrow, number, unit_text


def to_markdown(summary: Summary) -> str:
    """Every table, the warnings and the failures."""
    parts = [_table(table) for table in (*summary.headline, *summary.tables, *summary.costs)]
    parts += [_list("Controls that beat a method", _warnings(summary))]
    parts += [_list("Failed or missing", [escape(problem_text(p)) for p in summary.failures])]
    parts += [_list("Notes", [escape(note) for note in summary.notes])]
    return "\n".join(part for part in parts if part)


def escape(text: str) -> str:
    """Text that Markdown, and HTML in it, takes literally, in one table cell."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|~>#])", r"\\\1", text)


def _table(table: Table) -> str:
    columns = table.columns
    headings = ["", "supervision", "seeds", *map(_heading, columns)]
    rows = [headings, ["---", "---", "---:", *["---:" for _ in columns]]]
    for section in sections(table):
        rows.append([f"*{section.title}*", *["" for _ in headings[1:]]])
        for line in section.lines:
            texts = line_texts(line, columns, _mark)
            rows.append([escape(texts[0]), escape(texts[1]), *texts[2:]])
    items = next((t for block in table.blocks if (t := items_text(block))), "")
    title = f"### {escape(title_of(table))}" + (f" ({items})" if items else "")
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([title, "", *lines, "", *(f"{escape(n)}\n" for n in table.notes)])


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
