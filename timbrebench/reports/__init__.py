"""Reports: from what runs left to tables, figures and a page to listen to.

They see only ``core.results`` records, rows and audio files. :func:`summarise` makes the data
once; every form of a report is a function of it.
"""

from timbrebench.reports.html import write_html
from timbrebench.reports.latex import to_latex
from timbrebench.reports.markdown import to_markdown
from timbrebench.reports.publish import print_terminal, write_all
from timbrebench.reports.rows import to_csv
from timbrebench.reports.summary import summarise, to_json
from timbrebench.reports.terminal import terminal_table

__all__ = [
    "print_terminal",
    "summarise",
    "terminal_table",
    "to_csv",
    "to_json",
    "to_latex",
    "to_markdown",
    "write_all",
    "write_html",
]
