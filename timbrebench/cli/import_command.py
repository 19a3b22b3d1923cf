"""``bench import``."""

from pathlib import Path

import click


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), default="runs/imported", help="runs/imported."
)
def command(file: Path, out: Path) -> int:
    """Put a cell that bench export wrote into a folder, to be used there.

    A later bench run into the same folder takes its networks where it would train equal ones.
    """
    from timbrebench.benchmarks.moving import import_file

    cell = import_file(file, out)
    click.echo(f"{cell}: ready.")
    click.echo(f"Next: bench transfer {cell} IN.wav -o OUT.wav")
    return 0
