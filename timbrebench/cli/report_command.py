"""``bench report``."""

from pathlib import Path

import click

from timbrebench.cli.console import print_json
from timbrebench.core.errors import BenchError

FORMATS = ("table", "md", "csv", "latex", "json")


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", help="Printed.")
@click.option("--json", "form", flag_value="json", help="Print one JSON document.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the files; RUN/report.")
def command(runs: tuple[Path, ...], form: str, out: Path | None) -> None:
    """Compare the runs in one or several folders.

    Prints a table, and writes report.html (with audio, one file, works offline), report.md,
    report.tex and scores.csv.
    """
    from timbrebench import reports
    from timbrebench.benchmarks.reading import read_run

    records = [read_run(run) for run in runs]
    summary = reports.summarise(records)
    folder = out or runs[0] / "report"
    try:
        written = reports.write_all(records, summary, folder)
    except OSError as error:
        raise BenchError(
            f"cannot write to {folder}: {error.strerror}.", hint="Name another: --out DIR"
        ) from None
    if form == "table":
        reports.print_terminal(summary)
        click.echo(f"Report: {written}")
    elif form == "json":
        print_json(reports.to_json(summary))
    else:
        text = {"md": reports.to_markdown, "latex": reports.to_latex}.get(form)
        click.echo(text(summary) if text else reports.to_csv(records))
