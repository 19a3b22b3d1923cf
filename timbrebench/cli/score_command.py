"""``bench score``."""

from pathlib import Path
from typing import Any

import click

from timbrebench.cli.bar import bar
from timbrebench.cli.console import json_option, print_json, print_table
from timbrebench.cli.run_options import Names, merge_options


@click.command("score")
@click.option("--reference", required=True, type=click.Path(path_type=Path), help="What should be.")
@click.option("--estimate", required=True, type=click.Path(path_type=Path), help="What is.")
@click.option("--metrics", type=Names("metric"), multiple=True, help="Comma list.")
@click.option("--jobs", type=click.IntRange(1), help="Processes; one a core.")
@click.option("-o", "--option", "options", multiple=True, help="METRIC.OPTION=VALUE.")
@json_option
def command(
    reference: Path,
    estimate: Path,
    metrics: tuple[str, ...],
    jobs: int | None,
    options: tuple[str, ...],
    as_json: bool,
) -> int:
    """Score a folder of audio against another: files of equal names are compared."""
    from timbrebench.benchmarks.choices import choose_metrics, parse_words
    from timbrebench.benchmarks.config import RunConfig
    from timbrebench.benchmarks.records import metric_record
    from timbrebench.benchmarks.score import score_folders
    from timbrebench.benchmarks.scoring import chosen_metric
    from timbrebench.core.records import Task
    from timbrebench.core.registry import registry

    config = RunConfig(metrics=parse_words(metrics), options=merge_options({}, options))
    tasks = [Task("transfer", "reference", "estimate")]  # what a pair of folders is like
    chosen = [chosen_metric(metric_record(c)) for c in choose_metrics(registry(), config, tasks)]
    if not metrics:
        chosen = [c for c in chosen if c.entry.info.kind != "cell"]
    with bar("score") as progress:
        result = score_folders(reference, estimate, chosen, jobs=jobs, progress=progress)
    if as_json:
        print_json(result)
    else:
        _print(result)
    rows = result["metrics"].values()
    return 1 if any(row["failed"] or row.get("status") == "failed" for row in rows) else 0


def _print(result: dict[str, Any]) -> None:
    rows = [{"metric": name, **row} for name, row in result["metrics"].items()]
    print_table(rows, ("metric", "mean", "n", "unit"))
    for name, row in result["metrics"].items():
        if row.get("reason"):
            click.echo(f"{name}: {row['status']}: {row['reason']}", err=True)
    failed: dict[tuple[str, str], list[str]] = {}
    for name, row in result["metrics"].items():
        for item, reason in row["failed"].items():
            failed.setdefault((item, reason), []).append(name)
    for (item, reason), rows_of in failed.items():
        click.echo(f"{item}: {reason} ({', '.join(rows_of)})", err=True)
    for side, names in result["unmatched"].items():
        if names:
            click.echo(
                f"{len(names)} files of --{side} have no counterpart: {', '.join(names[:5])}"
            )
