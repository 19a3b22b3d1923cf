"""``bench compare``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from timbrebench.cli.console import json_option, print_rows
from timbrebench.core.errors import BenchError

COLUMNS = ("method", "task", "metric", "difference", "low", "high", "p", "tracks", "verdict")


@click.command("compare")
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=0.0,
    help="By how much RUN_B may be worse for certain, in the metric's own unit; default 0.",
)
@click.option(
    "--metrics", help="Only these, separated by commas; default: all that have a direction."
)
@json_option
def command(run_a: Path, run_b: Path, tolerance: float, metrics: str | None, as_json: bool) -> int:
    """Whether RUN_B is worse than RUN_A: differences of systems of one name on the same tracks.

    A difference is RUN_B's value minus RUN_A's, with its 95 % interval. RUN_B is worse where the
    whole interval lies beyond the tolerance on the wrong side; then the exit code is 1.
    """
    from timbrebench.benchmarks.comparing import compare_runs

    rows = [_told(row, tolerance) for row in compare_runs(run_a, run_b)]
    if metrics:
        wanted = set(metrics.split(","))
        rows = [row for row in rows if row["metric"] in wanted]
    if not rows:
        raise BenchError(
            f"{run_a} and {run_b} have no system, task and metric in common on one corpus.",
            hint=f"See what they hold: bench show {run_a}",
        )
    print_rows(rows, COLUMNS, as_json)
    return 1 if any(row["verdict"] == "worse" for row in rows) else 0


def _told(row: Mapping[str, Any], tolerance: float) -> dict[str, Any]:
    named = {k: v for k, v in row.items() if k not in ("value", "n")}
    told = {"difference": row["value"], "tracks": row["n"], "verdict": _verdict(row, tolerance)}
    return named | told


def _verdict(row: Mapping[str, Any], tolerance: float) -> str:
    """Where the interval of how much worse it is lies."""
    if row["low"] is None:
        return "too few tracks"
    ends = row["low"], row["high"]
    least, most = sorted(-end if row["higher_is_better"] else end for end in ends)
    if least > tolerance:
        return "worse"
    if most < 0:
        return "better"
    return "worse within tolerance" if least > 0 else "not separable"
