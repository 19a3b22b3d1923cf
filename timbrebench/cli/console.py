"""What commands print: tables for people, or one JSON document on standard output."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

Row = Mapping[str, Any]
FORMATS = ("table", "json")


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--json`` and ``--format table|json``, given to the command as ``as_json``."""

    @click.option("--format", "form", type=click.Choice(FORMATS), default="table", help="Printed.")
    @click.option("--json", "json_flag", is_flag=True, help="Print one JSON document.")
    @functools.wraps(command)
    def with_format(form: str, json_flag: bool, **given: Any) -> Any:
        return command(as_json=json_flag or form == "json", **given)

    return with_format


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=1))


def print_rows(rows: Sequence[Row], columns: Sequence[str], as_json: bool, title: str = "") -> None:
    """Rows as a table of the columns, or all of their fields as JSON."""
    if as_json:
        print_json([dict(row) for row in rows])
        return
    print_table(rows, columns, title)


def print_table(rows: Sequence[Row], columns: Sequence[str], title: str = "") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(as_text(row.get(column))) for column in columns))
    Console().print(table)


def print_markdown(rows: Sequence[Row], columns: Sequence[str]) -> None:
    lines = [list(columns), ["---"] + ["---:"] * (len(columns) - 1)]
    lines += [[as_text(row.get(c)).replace("|", "\\|") for c in columns] for row in rows]
    for line in lines:
        click.echo(f"| {' | '.join(line)} |")


def as_text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(as_text, value))
    return str(value)
