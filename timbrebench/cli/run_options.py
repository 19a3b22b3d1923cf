"""The options that ``run`` and ``plan`` share, and the configuration that they make; and those of
a suite."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from timbrebench.benchmarks import config as configs
from timbrebench.benchmarks.config import (
    Execution,
    RunConfig,
    parse_budget,
    parse_fractions,
    parse_option,
    parse_seeds,
    split_list,
)
from timbrebench.benchmarks.limits import check_memory
from timbrebench.core.errors import BenchError

if TYPE_CHECKING:
    from timbrebench.benchmarks.suites import Suite


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
    click.option("--budget-per", help="system (default), or direction: as much for each task."),
    click.option(
        "--budget-fractions",
        help="Train each method with these shares of its budget too: 1/4,1/2,1.",
    ),
    click.option("--augment", help="Train on shifted copies too: pitch=-2..2,gain=-6..6,copies=4."),
    click.option("--split", help="'all', 'valid=ID,…;test=ID,…', or 'seed=N'."),
    click.option("--data-root", help="Where the data is; or TIMBREBENCH_DATA."),
    click.option("--device", help="cpu (default), cuda, cuda:1, …"),
    click.option("--precision", help="fp32, bf16 or auto (default): bf16 if the device has it."),
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


def memory_options(command: Callable[..., Any]) -> Callable[..., Any]:
    gpu = click.option(
        "--gpu-memory",
        help="Budget of a job: 8GiB, 500MB, or a share of the card: 1/2, 0.4, 40%; 1 is all of it.",
    )
    return gpu(click.option("--host-memory", help="Budget of a job on the CPU: 4GiB.")(command))


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
        words = _words(given.pop(name))
        fields |= {name: words} if words else {}
    fields |= _lists(given)
    fields |= {name: value for name, value in given.items() if value is not None}
    execution = _execution(fields)
    config = configs.check(RunConfig(**fields))
    configs.check_execution(execution, config.device)
    folder = Path(out) if out else Path("runs") / config.dataset.partition("[")[0]
    return config, folder, execution


# ---------------------------------------------------------------------------- suites

# What a suite decides: as the command line's fields, and as it writes them.
_DECIDED = {
    "config_file": "--config",
    "options": "-o",
    "tasks": "--tasks",
    "metrics": "--metrics",
    "preset": "--preset (see --scale)",
    "controls": "--controls",
    "split": "--split",
    "max_seconds": "--max-seconds",
}


def _suites(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from timbrebench.benchmarks.suites import SUITES

    return [name for name in SUITES if name.startswith(incomplete)]


def suite_options(command: Callable[..., Any]) -> Callable[..., Any]:
    complete = click.option(
        "--suite",
        help="A published comparison with its report: see bench list suites. --methods adds to it.",
        shell_complete=_suites,
    )
    return complete(click.option("--scale", help="Of a suite: quick (default) or paper.")(command))


def refuse_scale(scale: str | None) -> None:
    """Without a suite there is none."""
    if scale:
        raise BenchError("--scale is of a suite.", hint="Add --suite NAME, or use --preset.")


def build_suite(
    name: str, scale: str | None, given: dict[str, Any]
) -> tuple["Suite", Path, Execution]:
    """The suite with what may be said beside it: methods that join, data that replaces its own,
    seeds, budget, and how the work is done."""
    from timbrebench.benchmarks import suites

    info = suites.find(name)
    decided = [told for field, told in _DECIDED.items() if given.pop(field) not in (None, ())]
    if decided:
        raise BenchError(
            f"the suite {name} decides {' and '.join(decided)}.",
            hint="Leave it out; --methods adds methods. For a run of your own leave out --suite.",
        )
    asked = suites.Asked(scale or "quick", given.pop("dataset") or "", _words(given.pop("methods")))
    suite = info.build(asked)
    if budget := _budget(given).get("budget"):
        suite = suites.with_budget(suite, budget)
    given |= _lists(given)
    folder = name if asked.scale == "quick" else f"{name}-{asked.scale}"
    out = given.pop("out") or Path("runs") / folder
    fields = {field: value for field, value in given.items() if value is not None}
    execution = _execution(fields)
    parts = {
        part: configs.check(dataclasses.replace(config, **fields))
        for part, config in suite.parts.items()
    }
    for config in parts.values():
        configs.check_execution(execution, config.device)
    return dataclasses.replace(suite, parts=parts), Path(out), execution


def _execution(fields: dict[str, Any]) -> Execution:
    """How the work is done; takes its fields out of the others."""
    names = {f.name for f in dataclasses.fields(Execution)} & fields.keys()
    execution = Execution(**{name: fields.pop(name) for name in names})
    check_memory(execution)
    return execution


def _lists(given: dict[str, Any]) -> dict[str, Any]:
    """The fields that are comma lists; takes them out of the others."""
    parsers = {"seeds": parse_seeds, "budget_fractions": parse_fractions}
    said = {name: given.pop(name) for name in parsers}
    return {name: parsers[name](split_list(text)) for name, text in said.items() if text}


def _words(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for text in texts for word in split_list(text))


# ---------------------------------------------------------------------------- parts of both


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
