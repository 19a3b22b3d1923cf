"""Every form of a report at once: into a folder, or onto the terminal."""

from collections.abc import Sequence
from pathlib import Path

from timbrebench.core.files import write_text
from timbrebench.core.results import RunRecord
from timbrebench.reports.html import write_html
from timbrebench.reports.latex import to_latex
from timbrebench.reports.markdown import to_markdown
from timbrebench.reports.records import Summary
from timbrebench.reports.rows import to_csv
from timbrebench.reports.terminal import terminal_table


def write_all(runs: Sequence[RunRecord], summary: Summary, folder: Path) -> Path:
    """Writes report.html, report.md, report.tex and scores.csv; returns the page's path."""
    page = folder / "report.html"
    write_html(runs, summary, page)
    write_text(folder / "report.md", to_markdown(summary))
    write_text(folder / "report.tex", to_latex(summary))
    write_text(folder / "scores.csv", to_csv(runs))
    return page


def print_terminal(summary: Summary) -> None:
    from rich.console import Console

    Console().print(terminal_table(summary))
