"""The summary as LaTeX tables with booktabs, to paste into a paper."""

from timbrebench.reports.grid import (
    grouped,
    items_text,
    line_texts,
    main_columns,
    sections,
    sheet_headings,
    sheets,
    title_of,
)
from timbrebench.reports.records import Column, Entry, Sheet, Summary, Table
from timbrebench.reports.wording import names_text, unit_text

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "&": r"\&",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
    "°": r"\textdegree{}",
}
_ARROWS = {None: "", True: r" $\uparrow$", False: r" $\downarrow$"}


def to_latex(summary: Summary) -> str:
    r"""The suites', the headline tables and each task's. Needs \usepackage{booktabs}."""
    tables = [_sheet(sheet) for report in summary.suites for sheet in sheets(report)]
    tables += [_table(table) for table in (*summary.headline, *summary.tables)]
    return "% \\usepackage{booktabs}\n" + "\n".join(tables)


def escape(text: str) -> str:
    """Text that LaTeX prints as it is; control characters go, space is single."""
    shown = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return "".join(_ESCAPES.get(c, c) for c in shown)


def _table(table: Table) -> str:
    columns = main_columns(table)
    headings = ["", "Supervision", "Seeds", *map(_heading, columns)]
    body = []
    for section in sections(table):
        title = rf"\multicolumn{{{len(headings)}}}{{l}}{{\emph{{{escape(section.title)}}}}}"
        body += [r"\midrule", rf"{title} \\"]
        for line in section.lines:
            texts = line_texts(line, columns, _mark)
            body.append(" & ".join([*map(escape, texts[:3]), *texts[3:]]) + r" \\")
    return _float(_caption(table), f"lll{'r' * len(columns)}", headings, body)


def _sheet(sheet: Sheet) -> str:
    """Cells of a heat map that are matched are bold."""
    headings = [escape(text) for text in (sheet.corner, *sheet_headings(sheet))]
    body = []
    for group, rows in grouped(sheet):
        body.append(r"\midrule")
        if group:
            body.append(rf"\multicolumn{{{len(headings)}}}{{l}}{{\emph{{{escape(group)}}}}} \\")
        for row in rows:
            cells = [
                rf"\textbf{{{escape(c.text)}}}" if c.marked else escape(c.text) for c in row.cells
            ]
            body.append(" & ".join([escape(row.label), *cells]) + r" \\")
    caption = "; ".join([sheet.title, *(note.rstrip(".") for note in sheet.notes)])
    return _float(f"{escape(caption)}.", f"l{'r' * len(sheet.headings)}", headings, body)


def _float(caption: str, columns: str, headings: list[str], body: list[str]) -> str:
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(headings) + r" \\",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _heading(column: Column) -> str:
    unit = f" ({escape(unit_text(column))})" if unit_text(column) else ""
    return escape(column.metric) + unit + _ARROWS[column.higher_is_better]


def _mark(text: str, entry: Entry, column: Column) -> str:
    return rf"\textbf{{{escape(text)}}}" if entry.best else escape(text)


def _caption(table: Table) -> str:
    items = names_text(dict.fromkeys(t for b in table.blocks if (t := items_text(b))))
    seeds = "one seed" if all(len(line.system.seeds) == 1 for line in table.lines) else ""
    parts = [title_of(table), items, seeds, *(n.rstrip(".") for n in table.notes)]
    return escape("; ".join(p for p in parts if p)) + "."
