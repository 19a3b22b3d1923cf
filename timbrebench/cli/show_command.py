"""``bench show``."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from timbrebench.cli.cells import locate, matching, run_option, tell
from timbrebench.cli.console import as_text, json_option, print_json, print_rows, print_table


@click.command("show")
@click.argument("cell")
@run_option
@json_option
def command(cell: str, run: Path | None, as_json: bool) -> None:
    """Show one cell: CELL is RUN/cells/KEY, or with --run a key or a method's label. Of a run
    folder the cells are listed."""
    from timbrebench.benchmarks.reading import read_run

    if run is None and (Path(cell) / "run.json").is_file():
        _list(read_run(Path(cell)), as_json)
        return
    root, name = locate(cell, run)
    record = read_run(root)
    tell(record.told)
    parts = [_parts(chosen, record) for chosen in matching(record, name)]
    if as_json:
        print_json([_as_json(*part) for part in parts])
        return
    for part in parts:
        _print(*part)


def _list(record: Any, as_json: bool) -> None:
    columns = ("key", "label", "dataset", "seed", "status")
    rows = [{name: getattr(c, name) for name in (*columns, "tasks")} for c in record.cells]
    print_rows(rows, columns, as_json)


def _parts(cell: Any, record: Any) -> tuple[Any, list[Any], list[Any]]:
    """A cell with its stages and its rows."""
    rows = [r for r in record.rows if r["cell"] == cell.key]
    return cell, [record.stages[s] for s in cell.stages], rows


def _as_json(cell: Any, stages: list[Any], rows: list[Any]) -> dict[str, Any]:
    described = dataclasses.asdict(cell)
    described["items"] = [{k: str(v) for k, v in i.items()} for i in described["items"]]
    told = [{k: v for k, v in dataclasses.asdict(s).items() if k != "curve"} for s in stages]
    return {**described, "stage_records": told, "rows": rows}


def _print(cell: Any, stages: list[Any], rows: list[Any]) -> None:
    click.echo(f"{cell.label} on {cell.dataset}, seed {cell.seed}: {cell.status} ({cell.key})")
    if cell.reason:
        click.echo(f"  {cell.phase}: {cell.reason}" if cell.phase else f"  {cell.reason}")
    click.echo(f"  tasks: {as_text(list(cell.tasks))}")
    options = ", ".join(f"{k}={as_text(v)}" for k, v in cell.options.items())
    click.echo(f"  options: {options or 'none'}")
    if stages:
        told = [{**dataclasses.asdict(s), "parameters": sum(s.parameters.values())} for s in stages]
        print_table(told, ("key", "name", "status", "steps", "seconds", "flops", "parameters"))
    print_table(
        [r for r in rows if not r["item"]],
        ("task", "metric", "value", "unit", "n", "status", "reason"),
    )
    if cell.log_tail:
        click.echo(f"last lines of its log:\n{cell.log_tail}")
