"""What a run is asked to do, as one frozen record, however it was said."""

import dataclasses
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from timbrebench.benchmarks.precision import AUTO, PRECISIONS
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.records import Budget

DEFAULT_METHODS = ("palette", "ldm", "regress")

# FLOPs a cell of training in ``--preset quick``: some three minutes of palette on two idle CPU
# cores, and the same work on every machine.
QUICK_FLOPS = 2.4e13
# The paper's sizes train for as long as the papers did; their own count of examples.
PAPER_EXAMPLES = 8_000_000


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run does."""

    methods: tuple[str, ...] = DEFAULT_METHODS
    dataset: str = "starlet"
    metrics: tuple[str, ...] = ()  # none: those that say so themselves
    tasks: tuple[str, ...] = ()  # none: the dataset's first group
    seeds: tuple[int, ...] = (0,)
    controls: bool = True  # those that need no training join every run
    preset: str = "quick"
    budget: Budget | None = None  # none: the preset's
    budget_per: str = "system"  # system | direction: each task that a system does adds as much
    budget_fractions: tuple[str, ...] = ("1",)  # each method is trained with each of them
    split: str = ""
    data_root: str = ""
    device: str = "cpu"
    precision: str = AUTO  # the plan resolves it
    vocoder: str = "griffinlim"
    max_seconds: float | None = None
    augment: str = ""  # copies of training tracks: pitch=-2..2,gain=-6..6,copies=4
    score_on: str = "test"  # test | valid: the split that estimates are made of
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # plugin → options

    @property
    def spent(self) -> Budget:
        """The budget that holds."""
        if self.budget:
            return self.budget
        if self.preset == "paper":
            return Budget("examples", PAPER_EXAMPLES)
        return Budget("flops", QUICK_FLOPS)

    def budget_of(self, fraction: str, directions: int) -> Budget:
        """A share ('1/4') of what a system with so many tasks has; whole steps and examples."""
        times = max(1, directions) if self.budget_per == "direction" else 1
        amount = float(Fraction(fraction) * times * Fraction(self.spent.amount))
        if self.spent.kind in ("steps", "examples"):
            amount = max(1.0, amount // 1)
        return Budget(self.spent.kind, amount)


@dataclass(frozen=True)
class Execution:
    """How the work is done: it changes no result."""

    executor: str = "local"  # local | ray
    ray_address: str = ""  # HOST:PORT; none: RAY_ADDRESS
    jobs: int = 0  # at a time here, or on each node; 0: one, or one a GPU
    threads: int = 0  # of a job; 0: the cores divided by the jobs
    gpus: str = ""  # ids of the GPUs that jobs are given here, like 0,1; none: those that are seen
    deadline: float | None = None  # seconds a job
    stall: float = 600.0  # seconds without a sign of life
    checkpoint_seconds: float = 30.0  # between two checkpoints
    gpu_memory: str = ""  # budget of a job: an amount, or a share of the card
    host_memory: str = ""  # budget of a job on the CPU: an amount
    allow_duplicates: bool = False  # the same sound in two splits is told, and no error

    @property
    def gpu_ids(self) -> list[str]:
        """Those that ``gpus`` names."""
        return [word.strip() for word in self.gpus.split(",")] if self.gpus else []


PRESETS = ("quick", "paper")
EXECUTORS = ("local", "ray")
SCORED = ("test", "valid")
BUDGETED = ("system", "direction")


def check(config: RunConfig) -> RunConfig:
    """The config itself, or an error that names what is wrong with it."""
    if config.preset not in PRESETS:
        raise UnknownName("preset", config.preset, PRESETS)
    if config.score_on not in SCORED:
        raise UnknownName("split to score on", config.score_on, SCORED)
    if config.budget_per not in BUDGETED:
        raise UnknownName("what a budget is for", config.budget_per, BUDGETED)
    if config.precision not in PRECISIONS:
        raise UnknownName("precision", config.precision, PRECISIONS)
    if not re.fullmatch(r"cpu|cuda(:\d+)?", config.device):
        raise BenchError(f"there is no device '{config.device}'.", hint="Like cpu, cuda, cuda:1.")
    if config.augment:
        from timbrebench.core import augment  # few runs have copies

        augment.parse(config.augment)
    if not config.seeds:
        raise BenchError("no seed was named.", hint="Try: --seeds 0,1,2")
    if not config.methods:
        raise BenchError("no method was named.", hint="Try: --methods palette,copy,oracle")
    whole = config.budget is None or config.budget.kind not in ("steps", "examples")
    if config.budget is not None and not 0 < config.budget.amount < math.inf:
        raise BenchError(f"a budget of {config.budget.amount:g} {config.budget.kind} is none.")
    if config.budget is not None and not (whole or float(config.budget.amount).is_integer()):
        raise BenchError(f"a budget of {config.budget.amount:g} {config.budget.kind} is not whole.")
    if config.max_seconds is not None and not 0.5 <= config.max_seconds < math.inf:
        raise BenchError(f"--max-seconds is {config.max_seconds:g}; give 0.5 or more.")
    return config


def check_execution(execution: Execution, device: str) -> None:
    """An error where what was asked for cannot be had together."""
    where = f"--executor {execution.executor}"
    if execution.executor not in EXECUTORS:
        raise UnknownName("executor", execution.executor, EXECUTORS)
    if execution.jobs < 0 or execution.threads < 0:
        raise BenchError("--jobs and --threads are 1 or more.")
    _check_seconds(execution)
    if execution.executor != "ray":
        if execution.ray_address:
            raise BenchError(f"--ray-address with {where}.", hint="Add --executor ray.")
        if execution.gpus and device != "cuda":
            raise BenchError(f"--gpus with --device {device}.", hint="Use --device cuda.")
        if not re.fullmatch(r"(|[\w-]+(\s*,\s*[\w-]+)*)", execution.gpus):
            raise BenchError(f"--gpus takes ids, not '{execution.gpus}'.", hint="Like 0,1")
        if len(set(execution.gpu_ids)) < len(execution.gpu_ids):
            raise BenchError(f"--gpus {execution.gpus} names one twice.", hint="Like 0,1")
        return
    if execution.gpus or device not in ("cpu", "cuda"):
        told = "--gpus" if execution.gpus else f"--device {device}"
        raise BenchError(f"{told} with {where}: Ray chooses the GPU.", hint="Use --device cuda.")


def _check_seconds(execution: Execution) -> None:
    """Comparisons are put so that NaN fails them."""
    for name, seconds in (("deadline", execution.deadline), ("stall", execution.stall)):
        if seconds is not None and not seconds > 0:
            raise BenchError(f"--{name} is {seconds:g}; give more than 0 seconds.")
    if not execution.checkpoint_seconds >= 0:
        told = f"--checkpoint-seconds is {execution.checkpoint_seconds:g}"
        raise BenchError(f"{told}; give 0 or more.", hint="0: after each step.")


def split_list(text: str) -> list[str]:
    """Words between commas; commas inside brackets belong to their word."""
    words, depth, start = [], 0, 0
    for i, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            words.append(text[start:i])
            start = i + 1
    words.append(text[start:])
    return [w.strip() for w in words if w.strip()]


def parse_seeds(words: Sequence[Any]) -> tuple[int, ...]:
    """Whole numbers, each once."""
    try:
        return tuple(dict.fromkeys(int(str(word)) for word in words))
    except ValueError:
        told = ",".join(map(str, words))
        raise BenchError(f"--seeds takes whole numbers, not '{told}'.", hint="Like 0,1,2") from None


def parse_fractions(words: Sequence[Any]) -> tuple[str, ...]:
    """Shares of a budget, over 0 and at most 1, each once and in lowest terms: '2/8' is '1/4'."""
    try:
        found = [Fraction(str(word)) for word in words]
    except (ValueError, ZeroDivisionError):
        found = []
    if not found or not all(0 < share <= 1 for share in found):
        told = ",".join(map(str, words))
        raise BenchError(
            f"--budget-fractions takes shares of the budget, not '{told}'.", hint="Like 1/4,1/2,1"
        )
    return tuple(dict.fromkeys(map(str, found)))


def parse_option(text: str) -> tuple[str, str, str]:
    """'palette.width=32' → ('palette', 'width', '32')."""
    left, equals, value = text.partition("=")
    owner, dot, key = left.partition(".")
    if not (equals and dot and owner and key):
        raise BenchError(
            f"-o takes PLUGIN.OPTION=VALUE, not '{text}'.", hint="See: bench info NAME"
        )
    return owner.strip(), key.strip(), value.strip()


def parse_budget(kind: str, text: str) -> Budget:
    """'3e14' FLOPs, '2000' steps, '10m' of training time …"""
    number, factor = text.strip(), 1.0
    if kind == "seconds" and number[-1:] in ("s", "m", "h"):
        factor = {"s": 1.0, "m": 60.0, "h": 3600.0}[number[-1]]
        number = number[:-1]
    try:
        return Budget(kind, float(number) * factor)
    except ValueError:
        raise BenchError(
            f"'{text}' is no number of {kind}.", hint="Like 2000, 3e14, 10m."
        ) from None


# ------------------------------------------------------------------ bench.toml

_LISTS: Mapping[str, Callable[[list[Any]], tuple[Any, ...]]] = {
    **{name: lambda words: tuple(map(str, words)) for name in ("methods", "metrics", "tasks")},
    "seeds": parse_seeds,
    "budget_fractions": parse_fractions,
}
_KINDS: Mapping[str, tuple[Any, str]] = {
    "controls": (bool, "true or false"),
    "allow_duplicates": (bool, "true or false"),
    "max_seconds": (int | float, "a number"),
    "jobs": (int, "a whole number"),
    "threads": (int, "a whole number"),
    "deadline": (int | float, "a number of seconds"),
    "stall": (int | float, "a number of seconds"),
    "checkpoint_seconds": (int | float, "a number of seconds"),
    "options": (dict, "a table for each plugin, [options.palette]"),
}
_BUDGETS = {"steps": "steps", "examples": "examples", "flops": "flops", "train-time": "seconds"}


def read_toml(path: Path) -> dict[str, Any]:
    """The fields of RunConfig and Execution that a file says.

    Its keys are the command line's long options; options of plugins stand in tables:
    ``[options.palette]``.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} is no TOML: {error}.") from None
    budgets = [key for key in data if key in _BUDGETS]
    if len(budgets) > 1:
        raise BenchError(f"{path}: {' and '.join(budgets)}: a cell has one budget.")
    fields: dict[str, Any] = {}
    for key, value in data.items():
        fields |= _toml_field(path, key, value)
    return fields


def _toml_field(path: Path, key: str, value: Any) -> dict[str, Any]:
    if key in _BUDGETS:
        return {"budget": parse_budget(_BUDGETS[key], str(value))}
    name = key.replace("-", "_")
    known = {f.name for f in dataclasses.fields(RunConfig)} - {"budget"} | {"out"}
    known |= {f.name for f in dataclasses.fields(Execution)}
    if name not in known:
        names = [k.replace("_", "-") for k in known] + list(_BUDGETS)
        raise UnknownName(f"key of {path}:", key, names)
    if name in _LISTS:
        words = split_list(value) if isinstance(value, str) else value
        words = words if isinstance(words, list) else [words]
        return {name: _LISTS[name](words)}
    kind, told = _KINDS.get(name, (str, "text"))
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise BenchError(f"{path}: {key} is {told}, not '{value}'.")
    if name == "options" and not all(isinstance(table, dict) for table in value.values()):
        raise BenchError(f"{path}: options is {told}, not '{value}'.")
    return {name: value}
