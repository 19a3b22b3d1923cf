"""``bench info``."""

import dataclasses
from typing import Any

import click

from timbrebench.cli.console import as_text, json_option, print_json, print_table
from timbrebench.core.errors import UnknownName

LEFT_OUT = {"options", "factory", "shares", "name"}


@click.command("info")
@click.argument("name")
@json_option
def command(name: str, as_json: bool) -> None:
    """Show all about one plugin: what it is, its options and presets."""
    from timbrebench.core.registry import registry

    wanted, _, distribution = name.partition("@")
    every = registry().entries
    found = [e for e in every if e.name == wanted and distribution in ("", e.distribution)]
    if not found:
        raise UnknownName("plugin", name, [e.name for e in every], hint="See: bench list")
    if as_json:
        print_json([_described(e) for e in found])
        return
    for entry in found:
        _print(entry)


def _described(entry: Any) -> dict[str, Any]:
    info = {
        f.name: getattr(entry.info, f.name)
        for f in dataclasses.fields(entry.info)
        if f.name not in LEFT_OUT
    }
    info["measures"] = [dataclasses.asdict(m) for m in info.get("measures", ())]
    return {
        "kind": entry.kind,
        "name": entry.name,
        "distribution": entry.distribution,
        "version": entry.version,
        **info,
        "options": [dataclasses.asdict(option) for option in entry.options],
    }


def _print(entry: Any) -> None:
    click.echo(f"{entry.name} — {entry.info.summary}")
    told = _described(entry)
    for key, value in told.items():
        if key in ("name", "summary", "options", "presets", "measures") or value in ("", (), None):
            continue
        click.echo(f"  {key.replace('_', ' ')}: {as_text(value)}")
    for measure in told["measures"]:
        click.echo(f"  row: {measure['name']} {measure['unit']}")
    for preset, values in entry.info.presets.items():
        said = ", ".join(f"{k}={as_text(v)}" for k, v in values.items())
        click.echo(f"  preset {preset}: {said or 'the defaults'}")
    if entry.options:
        rows = [_option_row(option) for option in entry.options]
        print_table(rows, ("option", "default", "allowed", "affects", "help"))


def _option_row(option: Any) -> dict[str, Any]:
    low = "" if option.low is None else f"{option.low:g}"
    high = "" if option.high is None else f"{option.high:g}"
    span = f"{low}..{high}" if low or high else option.type
    return {
        "option": option.name,
        "default": option.default,
        "allowed": "|".join(map(str, option.choices)) or span,
        "affects": option.affects,
        "help": option.help,
    }
