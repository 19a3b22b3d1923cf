"""The summary as LaTeX tables with booktabs, to paste into a paper."""

from timbrebench.reports.grid import items_text, line_texts, main_columns, sections, title_of
from timbrebench.reports.records import Column, Entry, Summary, Table
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
    r"""The headline tables and each task's. Needs \usepackage{booktabs}."""
    tables = [_table(table) for table in (*summary.headline, *summary.tables)]
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
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_caption(table)}}}",
            rf"\begin{{tabular}}{{lll{'r' * len(columns)}}}",
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
