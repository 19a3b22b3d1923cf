"""Options of plugins: a frozen dataclass whose fields say what they affect.

``training`` options decide the weights and enter the key of a trained stage; ``sampling``
options only decide what is made with the weights, so that changing one trains nothing.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from timbrebench.core.errors import BenchError, UnknownName

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


def option(
    default: Any,
    help: str,
    *,
    affects: str = "training",
    choices: tuple[Any, ...] = (),
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """A field of an Options dataclass. ``affects`` is 'training' or 'sampling'."""
    if affects not in ("training", "sampling"):
        raise ValueError(f"affects must be 'training' or 'sampling', not {affects!r}")
    metadata = {"help": help, "affects": affects, "choices": choices, "low": low, "high": high}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """For plugins that have nothing to set."""


@dataclasses.dataclass(frozen=True)
class OptionSpec:
    """One option as plain data, so that a manifest can be cached and read without its code."""

    name: str
    type: str  # int | float | str | bool | ints (a tuple of int)
    default: Any
    help: str = ""
    affects: str = "training"
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    optional: bool = False  # None is a legal value, written 'none'

    def parse(self, value: Any, owner: str) -> Any:
        """Checks ``value`` (text from a command line, or a TOML value) and returns it typed."""
        where = f"option {owner}.{self.name}"
        if self.optional and (value is None or str(value).lower() in ("none", "")):
            return None
        try:
            parsed = _convert(self.type, value)
        except (TypeError, ValueError):
            raise BenchError(
                f"{where} takes {_ARTICLE[self.type]}, not '{value}'.",
                hint=f"Its default is {_shown(self.default)}.",
            ) from None
        if self.choices and parsed not in self.choices:
            raise UnknownName(f"value for {where}:", str(value), map(str, self.choices))
        for number in parsed if isinstance(parsed, tuple) else (parsed,):
            self._check_range(number, where)
        return parsed

    def _check_range(self, number: Any, where: str) -> None:
        below = self.low is not None and number < self.low
        above = self.high is not None and number > self.high
        if below or above or number != number:
            low = "-∞" if self.low is None else f"{self.low:g}"
            high = "∞" if self.high is None else f"{self.high:g}"
            raise BenchError(f"{where} is {number}; it must lie in {low}..{high}.")


_ARTICLE = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "ints": "whole numbers separated by '/'",
}


def _shown(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _convert(kind: str, value: Any) -> Any:
    if kind == "bool":
        if isinstance(value, bool):
            return value
        lowered = str(value).lower()
        if lowered not in _TRUE | _FALSE:
            raise ValueError(value)
        return lowered in _TRUE
    if kind == "ints":
        parts = value if isinstance(value, list | tuple) else str(value).split("/")
        return tuple(_convert("int", p) for p in parts)
    if isinstance(value, list | tuple | dict) or (isinstance(value, bool) and kind != "str"):
        raise ValueError(value)
    if kind == "int":
        if isinstance(value, float) and not value.is_integer():
            raise ValueError(value)
        return int(value)
    return float(value) if kind == "float" else str(value)


def describe(options: type) -> tuple[OptionSpec, ...]:
    """The fields of an Options dataclass as plain data. Errors name the field."""
    hints = typing.get_type_hints(options)
    specs = []
    for field in dataclasses.fields(options):
        kind, optional = _kind_of(hints[field.name], f"{options.__name__}.{field.name}")
        known = {
            k: field.metadata[k]
            for k in ("help", "affects", "choices", "low", "high")
            if k in field.metadata
        }
        specs.append(OptionSpec(field.name, kind, field.default, optional=optional, **known))
    return tuple(specs)


def _kind_of(hint: Any, where: str) -> tuple[str, bool]:
    optional = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        args = [a for a in typing.get_args(hint) if a is not type(None)]
        optional = len(args) < len(typing.get_args(hint))
        hint = args[0] if len(args) == 1 else None
    if typing.get_origin(hint) is tuple and typing.get_args(hint) == (int, Ellipsis):
        return "ints", optional
    if hint in (int, float, str, bool):
        return hint.__name__, optional
    raise TypeError(f"{where}: an option is int, float, str, bool or tuple[int, ...]")


def resolve(
    owner: str,
    specs: tuple[OptionSpec, ...],
    presets: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, Any],
    preset: str | None = None,
) -> dict[str, Any]:
    """Defaults, then the preset, then what was given; every value checked, none unknown.

    ``given`` may hold 'preset', which wins over the run's ``preset``. A run's preset that the
    plugin does not have is ignored: not every plugin has sizes.
    """
    by_name = {s.name: s for s in specs}
    named = given.get("preset")
    if named is not None and named not in presets:
        raise UnknownName(f"preset of {owner}", str(named), presets)
    values = {s.name: s.default for s in specs}
    values |= dict(presets.get(str(named or preset), {}))
    for name, value in given.items():
        if name == "preset" and "preset" not in by_name:
            continue
        if name not in by_name:
            raise UnknownName(f"option of {owner}:", name, by_name, hint=f"See: bench info {owner}")
        values[name] = by_name[name].parse(value, owner)
    return values


def build(options: type, values: Mapping[str, Any]) -> Any:
    """The Options instance for resolved values (lists, as JSON has them, become tuples)."""
    return options(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def words_of(owner: str, options: Any) -> tuple[str, ...]:
    """'-o', 'OWNER.NAME=VALUE', … for each option that is not as it is by default."""
    if not dataclasses.is_dataclass(options):
        return ()
    found: list[str] = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value != field.default:
            found += ("-o", f"{owner}.{field.name}={_said(value)}")
    return tuple(found)


def _said(value: Any) -> str:
    """As a command line has it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return _shown(value)
