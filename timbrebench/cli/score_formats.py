"""What ``bench score`` prints: a table for people, JSON, CSV or Markdown."""

import csv
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from timbrebench.cli.console import as_text, print_json, print_markdown, print_table

NAMES = ("table", "json", "csv", "md")

_SHOWN = ("metric", "mean", "interval", "n", "unit", "against", "floor", "ceiling")
# Of CSV: a line for each item and for each mean or set.
_COLUMNS = (
    "metric,item,value,low,high,unit,n,status,reason,reference,floor,ceiling,n_reference,n_files,"
    "seconds,embedding,weights_sha256,loudness,grey"
).split(",")
_DETAILS = _COLUMNS[_COLUMNS.index("n_reference") :]
SILENT = "n/a"


def show(result: Mapping[str, Any], form: str) -> None:
    """The result of score_folders; what went wrong goes to standard error unless it is JSON."""
    if form == "json":
        print_json(result)
        return
    if form == "csv":
        writer = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_lines(result))
    else:
        rows = [_shown(name, row) for name, row in result["metrics"].items()]
        kept = [c for c in _SHOWN if c == "metric" or any(row[c] is not None for row in rows)]
        (print_markdown if form == "md" else print_table)(rows, kept)
    _print_problems(result)


def _shown(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    interval = row.get("interval")
    details = row.get("details", {})
    mean = row["mean"]
    if mean is not None and details.get("grey"):
        mean = f"({as_text(mean)})"
    return {
        "metric": name,
        "mean": mean,
        "interval": f"{as_text(interval[0])} … {as_text(interval[1])}" if interval else None,
        "n": row["n"],
        "unit": row["unit"] or None,
        "against": row.get("reference"),
        "floor": _bound(details, "floor"),
        "ceiling": _bound(details, "ceiling"),
    }


def _bound(details: Mapping[str, Any], name: str) -> float | str | None:
    bound = details.get(name)
    if not isinstance(bound, Mapping):
        return None
    value = bound.get("value")
    return SILENT if value is None else value


def _lines(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, row in result["metrics"].items():
        told = {"metric": name, "unit": row["unit"], "reference": row.get("reference", "")}
        for item, value in row.get("items", {}).items():
            yield told | {"item": item, "value": value, "status": "ok"}
        for item, reason in row["failed"].items():
            yield told | {"item": item, "status": "failed", "reason": reason}
        for item in row.get("not_applicable", ()):
            yield told | {"item": item, "status": "not_applicable"}
        yield told | _summary(row)


def _summary(row: Mapping[str, Any]) -> dict[str, Any]:
    details = row.get("details", {})
    low, high = row.get("interval") or ("", "")
    none = "failed" if row["failed"] or not row.get("not_applicable") else "not_applicable"
    status = row.get("status") or ("ok" if row["n"] else none)
    known = {name: details[name] for name in _DETAILS if details.get(name) is not None}
    bounds = {n: value for n in ("floor", "ceiling") if (value := _bound(details, n)) is not None}
    return {
        "value": row["mean"],
        "low": low,
        "high": high,
        "n": row["n"],
        "status": status,
        "reason": row.get("reason", ""),
        **known,
        **bounds,
    }


def _print_problems(result: Mapping[str, Any]) -> None:
    for name, row in result["metrics"].items():
        if row.get("reason"):
            click.echo(f"{name}: {row['status']}: {row['reason']}", err=True)
        if row.get("details", {}).get("grey"):
            n, real = (row["details"].get(k, "few") for k in ("n", "n_reference"))
            click.echo(
                f"{name}: in brackets, as {n} vectors against {real} say little of so many "
                "dimensions.",
                err=True,
            )
    failed: dict[tuple[str, str], list[str]] = {}
    for name, row in result["metrics"].items():
        for item, reason in row["failed"].items():
            failed.setdefault((item, reason), []).append(name)
    for (item, reason), rows_of in failed.items():
        click.echo(f"{item}: {reason} ({', '.join(rows_of)})", err=True)
    for side, names in result["unmatched"].items():
        if names:
            click.echo(
                f"{len(names)} files of --{side} have no namesake: {', '.join(names[:5])}",
                err=True,
            )
