"""What ``bench tune`` searches: the options that a method declares, and how good is measured.
Light: Optuna is imported when its distributions are asked for."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from timbrebench.benchmarks.choices import choose, parse_choice
from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.plan import Plan, make_plan
from timbrebench.benchmarks.records import metric_record
from timbrebench.core import files
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.interfaces import Measure, Span
from timbrebench.core.manifest import Entry
from timbrebench.core.options import OptionSpec
from timbrebench.core.records import Budget
from timbrebench.core.registry import Registry

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

OBJECTIVE = "fad_logmel"
DIGITS = 3  # significant ones of a number that is tried: what is shown is what was run


@dataclass(frozen=True)
class Search:
    """What is asked of ``bench tune``."""

    config: RunConfig  # of one method, one seed and one metric, scored on validation tracks
    registry: Registry
    entry: Entry  # the method
    fixed: Mapping[str, Any]  # its options that the user gave: they are not searched
    space: Mapping[str, Span | tuple[Any, ...]]  # option → what may be tried
    objective: Measure
    prune: bool

    @property
    def seed(self) -> int:
        return self.config.seeds[0]

    @property
    def specs(self) -> dict[str, OptionSpec]:
        return {s.name: s for s in self.entry.options}

    def plan(self, options: Mapping[str, Any] = {}, part: int = 1) -> Plan:
        """The plan of the one cell with these options, at 1/``part`` of the budget."""
        name, given = parse_choice(self.config.methods[0])
        words = [f"{k}={as_word(v)}" for k, v in {**given, **options}.items()]
        method = f"{name}[{'; '.join(words)}]" if words else name
        budget = _part_of(self.config.spent, part)
        config = dataclasses.replace(self.config, methods=(method,), budget=budget)
        return make_plan(config, self.registry)

    def name(self, plan: Plan) -> str:
        """A hash of all that decides the values: another question is another study."""
        spans = {k: v for k, v in self.space.items() if isinstance(v, Span)}
        space = {**self.space, **{k: dataclasses.astuple(v) for k, v in spans.items()}}
        metrics = [metric_record(m) for m in plan.metrics]
        budget = dataclasses.astuple(self.config.spent)
        asked = [plan.cells[0].key, budget, space, metrics, self.objective.name, self.prune]
        return files.digest(asked)


def make_search(
    config: RunConfig, registry: Registry, objective: str = OBJECTIVE, prune: bool = True
) -> Search:
    """The search that the config's one method declares, less the options that the user gave.

    Pruning compares models that trained for less: it is off where only sampling is searched.
    """
    if len(config.methods) != 1:
        raise BenchError("one method is tuned at a time.", hint="Like: --method ddim")
    [word] = config.methods
    entry, _ = choose(registry, "method", word, config)  # checks what the user gave
    if not entry.info.search:
        others = ", ".join(e.name for e in registry.of("method") if e.info.search)
        raise BenchError(
            f"method '{entry.name}' declares no options to search.",
            hint=f"Methods that do: {others}." if others else "No installed method does.",
        )
    fixed = {**config.options.get(entry.name, {}), **parse_choice(word)[1]}
    space = _space(entry, fixed)
    if not space:
        raise BenchError(
            f"every option that '{entry.name}' searches is given.",
            hint=f"Leave one of them out: {', '.join(entry.info.search)}.",
        )
    metric, measure = _find_measure(registry, objective)
    config = dataclasses.replace(config, metrics=(metric,), controls=False, score_on="valid")
    learns = any(s.affects == "training" for s in entry.options if s.name in space)
    prune = prune and learns and entry.info.trains
    return Search(config, registry, entry, fixed, space, measure, prune)


def _space(entry: Entry, fixed: Mapping[str, Any]) -> dict[str, Span | tuple[Any, ...]]:
    """What may be tried, in the order of the options: a cached manifest loses the search's own, and
    draws follow the order."""
    searched = entry.info.search
    if unknown := set(searched) - {s.name for s in entry.options}:
        raise BenchError(f"'{entry.name}' searches what is no option of it: {', '.join(unknown)}.")
    names = [s.name for s in entry.options if s.name in searched]
    return {name: searched[name] for name in names if name not in fixed}


def _find_measure(registry: Registry, name: str) -> tuple[str, Measure]:
    """The metric that gives a measure, and the measure."""
    every = {m.name: (e.name, m) for e in registry.of("metric") for m in e.info.measures}
    directed = {n: found for n, found in every.items() if found[1].higher_is_better is not None}
    if name in every and name not in directed:
        raise BenchError(
            f"neither a high nor a low {name} is better.",
            hint=f"Measures with a direction: {', '.join(sorted(directed))}.",
        )
    if name not in directed:
        raise UnknownName("measure", name, directed)
    return directed[name]


def _part_of(budget: Budget, part: int) -> Budget:
    amount = budget.amount / part
    whole = budget.kind in ("steps", "examples")
    return Budget(budget.kind, max(1.0, amount // 1) if whole else amount)


# ---------------------------------------------------------------------------- numbers and words


def distributions(search: Search) -> "dict[str, BaseDistribution]":
    """The space as Optuna's. Choices stand as words, since a tuple is no value to Optuna."""
    made = {}
    for name, tried in search.space.items():
        try:
            made[name] = _distribution(search.specs[name].type, tried)
        except ValueError as error:
            where = f"{search.entry.name}.{name}"
            raise BenchError(f"option {where} cannot be searched: {error}.") from None
    return made


def _distribution(kind: str, tried: Span | tuple[Any, ...]) -> "BaseDistribution":
    from optuna import distributions as optunas

    if not isinstance(tried, Span):
        return optunas.CategoricalDistribution([as_word(v) for v in tried])
    if kind == "int":
        return optunas.IntDistribution(int(tried.low), int(tried.high), log=tried.log)
    return optunas.FloatDistribution(tried.low, tried.high, log=tried.log)


def as_options(search: Search, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Optuna's parameters as values of options, numbers rounded to what is shown."""
    values = {}
    for name, value in parameters.items():
        tried = search.space[name]
        if isinstance(tried, Span) and isinstance(value, float):
            value = min(max(float(f"{value:.{DIGITS}g}"), tried.low), tried.high)
        values[name] = search.specs[name].parse(value, search.entry.name)
    return values


def as_word(value: Any) -> str:
    """A value as a command line says it."""
    return "/".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
