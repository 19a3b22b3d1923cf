"""Writes the parts of the documentation that the code knows: help texts, options, rows.

    python tools/write_docs.py

Such a part stands between ``<!-- generated: WHAT -->`` and ``<!-- /generated -->``, where WHAT is
``help COMMAND…``, ``metrics``, ``family NAME`` (of the metrics of all embeddings) or the kind and
name of a plugin. ``tests/test_docs.py`` fails where a file is not
as this program would leave it.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from timbrebench.cli import bench
from timbrebench.core.options import OptionSpec
from timbrebench.core.registry import OURS, registry

ROOT = Path(__file__).parents[1]
WIDTH = 88  # columns of a help text
_PART = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- /generated -->)", re.DOTALL)
_BETTER = {None: "neither", True: "higher", False: "lower"}
# Of an info, in this order: what a reader wants to know before the options.
_FACTS = (
    "kind",
    "kinds",
    "supervision",
    "trains",
    "control",
    "mel",
    "mels",
    "rate",
    "dimension",
    "window",
    "default",
    "embedded",
    "size",
    "licence",
    "citation",
    "source",
)


def documents() -> list[Path]:
    """Every Markdown file of the project's own prose."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def filled(text: str) -> str:
    """A document with its generated parts as they should be."""
    return _PART.sub(lambda part: f"{part[1]}{_generated(part[2])}\n{part[3]}", text)


def _generated(what: str) -> str:
    kind, *names = what.split()
    if kind == "help":
        return f"```text\n{help_of(names)}\n```"
    if kind == "metrics":
        return _metrics()
    if kind == "family":
        return "\n\n".join(_family(names[0]))
    return "\n\n".join(filter(None, _plugin(registry().find(kind, names[0]))))


def help_of(names: Sequence[str]) -> str:
    """The help text of a command, such as ('data', 'prepare')."""
    command: click.Command = bench
    settings = bench.context_settings  # else the first caller decides how help is asked for
    context = click.Context(bench, info_name="bench", terminal_width=WIDTH, **settings)
    for name in names:
        assert isinstance(command, click.Group)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name}"
        command, context = found, click.Context(found, parent=context, info_name=name)
    return command.get_help(context)


# ---------------------------------------------------------------------------- plugins


def _plugin(entry: Any) -> Iterable[str]:
    """The paragraphs and tables about a plugin."""
    yield _facts(entry.info)
    if measures := getattr(entry.info, "measures", ()):
        rows = [(f"`{m.name}`", m.unit or "–", _BETTER[m.higher_is_better]) for m in measures]
        yield _table(("row", "unit", "better"), rows)
    if entry.options:
        columns = ("option", "default", "allowed", "affects", "what it is")
        yield _table(columns, [_option(spec) for spec in entry.options])
    for name, values in entry.info.presets.items():
        said = ", ".join(f"`{key}={_written(value)}`" for key, value in values.items())
        yield f"Preset `{name}`: {said or 'the defaults'}."


def family_of(info: Any) -> str:
    """'fad' of fad_logmel: what a metric is called without its embedding."""
    return info.name.removesuffix(f"_{info.embedding}") if is_family(info) else info.name


def is_family(info: Any) -> bool:
    """Whether it is one of those that stand for every embedding."""
    return bool(info.embedding) and info.name.endswith(f"_{info.embedding}")


def _metrics() -> str:
    """A line for each metric, or for each family of them, with its page."""
    rows: dict[str, tuple[str, ...]] = {}
    for entry in registry().of("metric"):
        info = entry.info
        if entry.distribution == OURS:
            name = family_of(info)
            shown = f"`{name}_X`" if is_family(info) else f"`{name}`"
            page = f"[{shown}](metrics/{page_of(name)}.md)"
            default = "yes" if info.default else "no"
            summary = (
                info.summary.partition(f" ({info.embedding}:")[0]
                if is_family(info)
                else info.summary
            )
            rows.setdefault(name, (page, summary, info.kind, default))
    return _table(("metric", "what it measures", "kind", "default"), rows.values())


def page_of(family: str) -> str:
    """The page of docs/metrics that a metric is on: the distances called FAD share one."""
    return "fad" if family.endswith("_fad") else family


def _family(family: str) -> Iterable[str]:
    """The metrics of all embeddings under one name."""
    infos = [e.info for e in registry().of("metric") if family_of(e.info) == family]
    yield _facts(infos[0])
    names = ", ".join(f"`{m.name}`" for info in infos for m in info.measures)
    yield f"Rows: {names}; {_BETTER[infos[0].measures[0].higher_is_better]} is better."


def _facts(info: Any) -> str:
    """'supervision: paired · mel: soundstream · …'"""
    told = []
    for name in _FACTS:
        value = getattr(info, name, None)
        if value not in (None, "", ()):
            told.append(f"{name}: {_fact(value)}")
    return f"*{' · '.join(told)}*"


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _option(spec: OptionSpec) -> tuple[str, ...]:
    default = f"`{_written(spec.default)}`" if _written(spec.default) else "(empty)"
    return (f"`{spec.name}`", default, _allowed(spec), spec.affects, spec.help)


def _allowed(spec: OptionSpec) -> str:
    if spec.choices:
        return ", ".join(f"`{_written(choice)}`" for choice in spec.choices)
    kind = {"ints": "int/int/…", "str": "text"}.get(spec.type, spec.type)
    low = f" ≥ {spec.low:g}" if spec.low is not None else ""
    high = f" ≤ {spec.high:g}" if spec.high is not None else ""
    return f"{kind}{low}{',' if low and high else ''}{high}"


def _written(value: Any) -> str:
    """A value as ``-o`` takes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "/".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def main() -> None:
    """Rewrites the documents that are not as they should be."""
    for path in documents():
        text = path.read_text(encoding="utf-8")
        if filled(text) != text:
            path.write_text(filled(text), encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
