"""``bench accompany``."""

from pathlib import Path
from typing import Any

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
from timbrebench.cli.console import json_option, print_json, print_table
from timbrebench.core.errors import UnknownName


@click.command("accompany")
@click.argument("vocals", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="A .wav or .flac file."
)
@click.option(
    "--with",
    "stems",
    multiple=True,
    required=True,
    metavar="INSTRUMENT=CELL",
    help="A cell that does transfers to the instrument; may be repeated.",
)
@click.option(
    "--low",
    type=click.FloatRange(1),
    help="Hz below which stems are cut; default: the instrument's.",
)
@click.option(
    "--high",
    type=click.FloatRange(1),
    help="Hz above which stems are cut; default: the instrument's.",
)
@click.option(
    "--style",
    "styles",
    multiple=True,
    metavar="INSTRUMENT=FILE",
    help="An example of the instrument. Default: training tracks.",
)
@click.option("--level", type=float, default=-6.0, help="dB of a stem over the voice; default -6.")
@set_option
@seed_option
@run_option
@json_option
def command(
    vocals: Path,
    out: Path,
    stems: tuple[str, ...],
    low: float | None,
    high: float | None,
    styles: tuple[str, ...],
    level: float,
    settings: tuple[str, ...],
    seed: int,
    run: Path | None,
    as_json: bool,
) -> None:
    """Accompany a voice: VOCALS is converted into each instrument, and all are mixed.

    \b
    bench accompany song.wav -o mix.flac --with violin=RUN/cells/KEY --with guitar=RUN/cells/KEY

    Each stem is cut to the instrument's band, set --level above the voice, and written beside
    the mix: mix-violin.flac. The table says how much of the voice's harmony (chroma, 0 to 1) and
    rhythm (F-measure of onsets) each stem keeps. --set INSTRUMENT.OPTION=VALUE is for one stem.
    """
    from timbrebench.benchmarks.accompany import Wishes, accompany, stem_path
    from timbrebench.benchmarks.sound import check_output, read_sound

    cells = settings_of(stems, "--with INSTRUMENT=CELL")
    for path in (out, *(stem_path(out, name) for name in cells)):
        check_output(path, vocals)
    examples = {n: Path(f) for n, f in settings_of(styles, "--style INSTRUMENT=FILE").items()}
    if unknown := sorted(examples.keys() - cells.keys()):
        raise UnknownName("instrument of --style:", unknown[0], cells)
    wishes = Wishes(low, high, level, seed, examples)
    given = _by_instrument(settings_of(settings), list(cells))
    players = {}
    for name, cell in cells.items():
        finished = find_cell(cell, run)
        task = finished.any_transfer_to(name)
        players[name] = (finished.player(task, given[name]), task)
    voice = read_sound(vocals)
    tell([*voice.notes, *(note for player, _ in players.values() for note in player.notes)])
    with metered("accompany", voice.seconds) as meter:
        rows = accompany(voice, players, wishes, out, meter)
    if as_json:
        print_json({"mix": str(out), "stems": rows})
        return
    print_table(rows, ("instrument", "file", "low_hz", "high_hz", "chroma", "onsets"))
    click.echo(f"{out}: {voice.seconds:.4g} s, voice and {', '.join(cells)} ({meter}).")


def _by_instrument(settings: dict[str, str], instruments: list[str]) -> dict[str, dict[str, Any]]:
    """What each stem is to be made with: INSTRUMENT.OPTION wins over OPTION."""
    for owner in (name.partition(".")[0] for name in settings if "." in name):
        if owner not in instruments:
            raise UnknownName("instrument of --set:", owner, instruments)
    common = {k: v for k, v in settings.items() if k.partition(".")[0] not in instruments}
    own = {
        name: {
            k.removeprefix(f"{name}."): v for k, v in settings.items() if k.startswith(f"{name}.")
        }
        for name in instruments
    }
    return {name: common | own[name] for name in instruments}
