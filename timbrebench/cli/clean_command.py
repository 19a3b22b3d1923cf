"""``bench clean``."""

from pathlib import Path

import click

from timbrebench.cli.cells import tell
from timbrebench.cli.console import json_option, print_json, print_table
from timbrebench.core.units import bytes_text

_AGAIN = "Repeat the run that made it, then clean again"


@click.command("clean")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Remove it; without this it is only shown.")
@click.option("--imported", is_flag=True, help="Cells that bench import brought, too.")
@json_option
def command(run: Path, yes: bool, imported: bool, as_json: bool) -> None:
    """Show what may be removed from a run folder and how much it frees; --yes removes it.

    That is: cells that newer ones have replaced, models that no shown cell uses, leftovers.
    Imported cells stay unless they are asked for.
    """
    from timbrebench.benchmarks.cleaning import removable, remove, unreadable

    found = (remove if yes else removable)(run, with_imported=imported)
    total = sum(part.size for part in found)
    rows = [
        {"path": str(p.path.relative_to(run)), "why": p.why, "size": bytes_text(p.size)}
        for p in found
    ]
    unread = [str(p.relative_to(run)) for p in unreadable(run, with_imported=imported)]
    if as_json:
        print_json({"removed": yes, "bytes": total, "parts": rows, "unreadable": unread})
        return
    print_table(rows, ("path", "why", "size"))
    told = "freed" if yes else "can be freed with --yes"
    click.echo(f"{bytes_text(total)} {told}.")
    tell(f"{path} cannot be read: all models and references stay. {_AGAIN}" for path in unread)
