"""``bench list``."""

from typing import Any

import click

from timbrebench.cli.console import json_option, print_rows
from timbrebench.core.errors import UnknownName

KINDS = ("methods", "datasets", "metrics", "embeddings", "vocoders")


@click.command("list")
@click.argument("kind", required=False, default="")
@json_option
def command(kind: str, as_json: bool) -> None:
    """List methods, datasets, metrics, embeddings or vocoders (all of them by default)."""
    from timbrebench.core.registry import registry

    if kind and kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    kinds = [kind] if kind else KINDS
    rows = [_row(e) for k in kinds for e in registry().of(k.removesuffix("s"))]
    columns = ("name", "summary", "distribution") if kind else ("kind", "name", "summary")
    print_rows(rows, columns, as_json)


def _row(entry: Any) -> dict[str, Any]:
    row = {
        "kind": entry.kind,
        "name": entry.name,
        "distribution": entry.distribution,
        "version": entry.version,
        "summary": entry.info.summary,
    }
    for field in ("kinds", "supervision", "control", "licence", "embedded"):
        if hasattr(entry.info, field):
            row[field] = getattr(entry.info, field)
    return row
