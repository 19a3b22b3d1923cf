"""``bench plugins``."""

from collections import Counter
from typing import Any

import click

from timbrebench.cli.console import json_option, print_rows


@click.command("plugins")
@click.option("--refresh", is_flag=True, help="Read every package's manifest anew.")
@json_option
def command(refresh: bool, as_json: bool) -> int:
    """Show the installed plugin packages: what each brings, and which are broken and why."""
    from timbrebench.core import registry as registries

    if refresh:
        registries.forget_manifests()
    found = registries.registry()
    rows = [*_working(found), *({**vars(b), "state": "broken"} for b in found.broken)]
    columns = ("distribution", "version", "state", "brings", "reason")
    print_rows(rows, columns, as_json)
    return 1 if found.broken else 0


def _working(found: Any) -> list[dict[str, Any]]:
    clashes = found.clashes()
    rows = []
    for owner in sorted({(e.distribution, e.version) for e in found.entries}):
        own = [e for e in found.entries if (e.distribution, e.version) == owner]
        counts = Counter(e.kind for e in own)
        taken = [
            f"{kind} '{name}' is also claimed by {_others(owners, owner[0])}"
            for kind, name, owners in clashes
            if owner[0] in owners
        ]
        rows.append(
            {
                "distribution": owner[0],
                "version": owner[1],
                "state": "clash" if taken else "ok",
                "brings": ", ".join(f"{n} {k}{'s' if n > 1 else ''}" for k, n in counts.items()),
                "names": [f"{e.kind}:{e.name}" for e in own],
                "reason": "; ".join(taken),
            }
        )
    return rows


def _others(owners: list[str], own: str) -> str:
    return " and ".join(o for o in owners if o != own)
