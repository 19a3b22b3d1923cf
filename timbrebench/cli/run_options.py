"""The options that ``run`` and ``plan`` share, and the configuration that they make."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from timbrebench.benchmarks import config as configs
from timbrebench.benchmarks.config import (
    Execution,
    RunConfig,
    parse_budget,
    parse_option,
    parse_seeds,
    split_list,
)
from timbrebench.core.errors import BenchError


class Names(click.ParamType):
    """A comma list of registered names, completed in a shell."""

    name = "names"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from timbrebench.core.registry import registry

        head, comma, last = incomplete.rpartition(",")
        found = [e.name for e in registry().of(self.kind) if e.name.startswith(last)]
        return [CompletionItem(f"{head}{comma}{name}") for name in found]


_OPTIONS = [
    click.option("--methods", "-m", type=Names("method"), multiple=True, help="Comma list."),
    click.option("--dataset", "-d", type=Names("dataset"), help="Default: starlet."),
    click.option("--metrics", type=Names("metric"), multiple=True, help="Comma list."),
    click.option(
        "--tasks", multiple=True, help="Comma list of SOURCE:TARGET, generate:X, or groups."
    ),
    click.option("--seeds", help="Comma list of whole numbers; default 0."),
    click.option("--preset", help="quick (default) or paper: sizes and budget."),
    click.option(
        "--controls/--no-controls",
        default=None,
        help="Add the controls that need no training (default).",
    ),
    click.option("--steps", help="Budget: training steps a cell."),
    click.option("--examples", help="Budget: training examples a cell."),
    click.option("--flops", help="Budget: training FLOPs a cell."),
    click.option("--train-time", help="Budget: training time a cell, like 10m."),
    click.option("--split", help="'all', 'valid=ID,…;test=ID,…', or 'seed=N'."),
    click.option("--data-root", help="Where the data is; or TIMBREBENCH_DATA."),
    click.option("--device", help="cpu (default), cuda, cuda:1, …"),
    click.option("--precision", help="bf16 (default) or fp32."),
    click.option("--vocoder", type=Names("vocoder"), help="Default: griffinlim."),
    click.option("--max-seconds", type=float, help="Cut test tracks to this length."),
    click.option(
        "-o", "--option", "options", multiple=True, help="PLUGIN.OPTION=VALUE; see bench info."
    ),
    click.option(
        "--config", "config_file", type=click.Path(path_type=Path), help="A bench.toml file."
    ),
    click.option("--out", type=click.Path(path_type=Path), help="Run folder; runs/DATASET."),
]


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def build(given: dict[str, Any]) -> tuple[RunConfig, Path, Execution]:
    """The configuration, the run folder, and how the work is done: the file's word, then the
    command line's."""
    fields: dict[str, Any] = {}
    file = given.pop("config_file")
    if file is not None:
        fields |= configs.read_toml(file)
    out = given.pop("out") or fields.pop("out", None)
    fields.pop("out", None)
    fields["options"] = merge_options(fields.get("options", {}), given.pop("options"))
    fields |= _budget(given)
    for name in ("methods", "metrics", "tasks"):
        words = tuple(w for text in given.pop(name) for w in split_list(text))
        fields |= {name: words} if words else {}
    seeds = given.pop("seeds")
    fields |= {"seeds": parse_seeds(split_list(seeds))} if seeds else {}
    fields |= {name: value for name, value in given.items() if value is not None}
    names = {f.name for f in dataclasses.fields(Execution)} & fields.keys()
    execution = Execution(**{name: fields.pop(name) for name in names})
    config = configs.check(RunConfig(**fields))
    folder = Path(out) if out else Path("runs") / config.dataset.partition("[")[0]
    return config, folder, execution


def merge_options(options: dict[str, Any], texts: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Options of plugins, and the command line's words for them on top."""
    merged = {owner: dict(values) for owner, values in options.items()}
    for owner, key, value in map(parse_option, texts):
        merged.setdefault(owner, {})[key] = value
    return merged


def _budget(given: dict[str, Any]) -> dict[str, Any]:
    kinds = {"steps": "steps", "examples": "examples", "flops": "flops", "train_time": "seconds"}
    said = {name: text for name in kinds if (text := given.pop(name))}
    if len(said) > 1:
        told = " and ".join(f"--{n.replace('_', '-')}" for n in said)
        raise BenchError(f"{told}: a cell has one budget.", hint="Give one of them.")
    if not said:
        return {}
    name, text = said.popitem()
    return {"budget": parse_budget(kinds[name], text)}
