"""``bench export``."""

from pathlib import Path

import click

from timbrebench.cli.cells import find_cell, run_option


@click.command("export")
@click.argument("cell")
@run_option
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File; METHOD.safetensors.")
def command(cell: str, run: Path | None, out: Path | None) -> int:
    """Write a trained cell into one file, for another machine.

    CELL is RUN/cells/KEY, a run folder with one trained cell, or a label with --run.
    """
    from timbrebench.benchmarks.moving import SUFFIX, export_cell

    found = find_cell(cell, run)
    path = out or Path(f"{found.record['method']}{SUFFIX}")
    export_cell(found, path)
    click.echo(f"{path}: {found.label}, {len(found.record['stages'])} networks.")
    click.echo(f"Next: bench import {path}")
    return 0
