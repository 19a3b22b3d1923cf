"""``bench generate``."""

from pathlib import Path

import click

from timbrebench.cli.cells import (
    find_cell,
    metered,
    run_option,
    seed_option,
    set_option,
    settings_of,
    tell,
)
from timbrebench.core.errors import BenchError

LONGEST = 3600.0  # seconds


@click.command("generate")
@click.argument("cell")
@click.option("--count", type=click.IntRange(1), default=8, help="Clips to make; default 8.")
@click.option(
    "--seconds", type=click.FloatRange(0.1, LONGEST), default=10.0, help="Of each; default 10."
)
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder of the clips."
)
@click.option("--instrument", help="If CELL has several.")
@click.option("--pair", metavar="A/B", help="Related clips by two instruments, and their mix.")
@set_option
@seed_option
@run_option
def command(
    cell: str,
    count: int,
    seconds: float,
    out: Path,
    instrument: str | None,
    pair: str | None,
    settings: tuple[str, ...],
    seed: int,
    run: Path | None,
) -> None:
    """Make new music of an instrument, or related music of a pair, with a trained cell.

    CELL is RUN/cells/KEY, a RUN with one trained cell, or with --run a key or a method's label.
    Clips are 001.flac, 002.flac, …; of pairs 001-a.flac, 001-b.flac and 001-mix.flac. A clip
    depends on the seed and its number only: a greater --count adds clips and changes none.
    """
    from timbrebench.benchmarks.generating import bands_of, write_clip, write_pair
    from timbrebench.benchmarks.sound import check_folder
    from timbrebench.core.records import Task

    if pair and instrument:
        raise BenchError("--pair and --instrument: one or the other.")
    check_folder(out)
    finished = find_cell(cell, run)
    only_pairs = finished.does("pair") and not finished.does("generate")
    paired = bool(pair) or (only_pairs and not instrument)
    task = finished.pair(pair) if paired else Task("generate", finished.instrument(instrument))
    player = finished.player(task, settings_of(settings))
    bands, notes = bands_of(player, task) if paired else ({}, [])
    tell([*player.notes, *notes])
    with metered(task.name, count * seconds) as meter:
        for number in range(1, count + 1):
            if paired:
                write_pair(player, task, bands, seconds, seed, number, out)
            else:
                write_clip(player, task, seconds, seed, number, out)
            meter(number / count)
    click.echo(f"{out}: {count} of {seconds:g} s, {task.name} by {finished.label} ({meter}).")
