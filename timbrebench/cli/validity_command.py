"""``bench validity``."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from timbrebench.cli.bar import bar
from timbrebench.cli.console import as_text, print_json, print_markdown, print_table
from timbrebench.cli.run_options import Names, merge_options

NONE = "none"  # the degradation that is none
FORMATS = ("table", "json", "md")
# Behind a value that differs from the untouched clips', and behind one that cannot be asked.
SEES, UNASKED = " ●", " ?"


@click.command("validity")
@click.option("--dataset", "-d", type=Names("dataset"), default="starlet", help="starlet.")
@click.option("--instrument", default="piano", help="Whose test tracks; default piano.")
@click.option("--metrics", type=Names("metric"), multiple=True, help="Comma list; default all.")
@click.option("--tracks", type=click.IntRange(1), default=10, help="At most so many; 10.")
@click.option("--seconds", type=click.FloatRange(0.5), default=10.0, help="Of each track; 10.")
@click.option("--data-root", help="Where the data is; or TIMBREBENCH_DATA.")
@click.option("--split", default="", help="As of bench run.")
@click.option("--jobs", type=click.IntRange(1), help="Processes; one a core.")
@click.option("-o", "--option", "options", multiple=True, help="PLUGIN.OPTION=VALUE.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", help="Printed.")
def command(
    dataset: str,
    instrument: str,
    metrics: tuple[str, ...],
    tracks: int,
    seconds: float,
    data_root: str | None,
    split: str,
    jobs: int | None,
    options: tuple[str, ...],
    form: str,
) -> int:
    """Show which metric sees which fault.

    Test tracks of an instrument are spoiled in known ways, and every metric is asked of them as it
    would be of a method's estimates. A dot: its values differ from those of the untouched clips by
    more than tracks do (95 %). A question mark: it gives no values by track to tell it from.
    """
    from timbrebench.benchmarks.validity import ask_metrics

    with bar("validity") as progress:
        rows = ask_metrics(
            dataset,
            instrument,
            metrics=metrics,
            options=merge_options({}, options),
            data_root=data_root,
            split=split,
            tracks=tracks,
            seconds=seconds,
            jobs=jobs,
            progress=progress,
        )
    if form == "json":
        print_json(rows)
        return 0
    columns, lines = table_of(rows)
    (print_markdown if form == "md" else print_table)(lines, columns)
    reasons = dict.fromkeys(f"{r['measure']}: {r['reason']}" for r in rows if r["reason"])
    for reason in reasons:
        click.echo(reason, err=True)
    return 0


def table_of(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """(columns, a line for each measure that gave any value)."""
    names = list(dict.fromkeys(row["degradation"] for row in rows))
    lines: dict[str, dict[str, Any]] = {}
    for row in rows:
        line = lines.setdefault(row["measure"], {"measure": row["measure"]})
        value = as_text(None) if row["value"] is None else f"{row['value']:.3g}"
        unasked = row["sees"] is None and row["value"] is not None and row["degradation"] != NONE
        line[row["degradation"]] = value + (SEES if row["sees"] else UNASKED if unasked else "")
    kept = [line for line in lines.values() if any(line[n] != as_text(None) for n in names)]
    return ["measure", *names], kept
