"""``bench list``."""

from typing import Any

import click

from timbrebench.cli.console import json_option, print_rows
from timbrebench.core.errors import UnknownName

KINDS = ("methods", "datasets", "metrics", "embeddings", "vocoders", "suites")


@click.command("list")
@click.argument("kind", required=False, default="")
@json_option
def command(kind: str, as_json: bool) -> None:
    """List methods, datasets, metrics, embeddings, vocoders or suites (all by default)."""
    if kind and kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    kinds = [kind] if kind else KINDS
    rows = [row for name in kinds for row in _rows(name.removesuffix("s"))]
    columns = ("name", "summary", "distribution") if kind else ("kind", "name", "summary")
    print_rows(rows, columns, as_json)


def _rows(kind: str) -> list[dict[str, Any]]:
    if kind != "suite":
        from timbrebench.core.registry import registry

        return [_row(entry) for entry in registry().of(kind)]
    from timbrebench import __version__
    from timbrebench.benchmarks.suites import SUITES
    from timbrebench.core.registry import OURS

    own = {"kind": kind, "distribution": OURS, "version": __version__}
    return [
        {**own, "name": s.name, "summary": s.summary, "datasets": list(s.datasets)}
        for s in sorted(SUITES.values(), key=lambda s: s.name)
    ]


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
