"""``bench transfer``."""

import math
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


@click.command("transfer")
@click.argument("cell")
@click.argument("source_file", metavar="IN", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="A .wav or .flac file."
)
@click.option("--to", "target", metavar="INSTRUMENT", help="Target, if CELL has several.")
@click.option("--from", "source", metavar="INSTRUMENT", help="Source, if CELL has several.")
@click.option(
    "--style",
    "styles",
    multiple=True,
    type=click.Path(path_type=Path),
    help="An example of the target; may be repeated. Default: training tracks.",
)
@set_option
@seed_option
@run_option
def command(
    cell: str,
    source_file: Path,
    out: Path,
    target: str | None,
    source: str | None,
    styles: tuple[Path, ...],
    settings: tuple[str, ...],
    seed: int,
    run: Path | None,
) -> None:
    """Play IN on another instrument: what a trained cell makes of your own sound.

    CELL is RUN/cells/KEY, a RUN with one trained cell, or with --run a key or a method's label.
    IN may have any length, rate and number of channels; it is mixed to mono. OUT has IN's rate,
    length and level.
    """
    from timbrebench.benchmarks.sound import check_output, convert, read_sound
    from timbrebench.core import audio

    check_output(out, source_file, *styles)
    finished = find_cell(cell, run)
    task = finished.transfer_to(target, source)
    sound = read_sound(source_file)
    player = finished.player(task, settings_of(settings))
    tell([*sound.notes, *player.notes])
    examples = player.styles(task.target, styles, seed)
    with metered(f"{task.source} to {task.target}", sound.seconds) as meter:
        made = convert(player, sound, task, examples, seed, meter)
    gain = audio.write(out, made, sound.rate)
    if gain < 1:
        tell([f"{out} is {-20 * math.log10(gain):.1f} dB quieter than IN, so as not to clip"])
    click.echo(f"{out}: {sound.seconds:.4g} s, {task.name} by {finished.label} ({meter}).")
