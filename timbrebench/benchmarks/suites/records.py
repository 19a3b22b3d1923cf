"""What a suite is. Light."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from timbrebench.benchmarks.config import PRESETS, RunConfig
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.layouts import SuiteLayout
from timbrebench.core.records import Budget

SCALES = PRESETS  # quick: minutes a cell; paper: published sizes and lengths of training


@dataclass(frozen=True)
class Asked:
    """What a user may say to a suite."""

    scale: str = "quick"
    dataset: str = ""  # in place of the suite's own
    methods: tuple[str, ...] = ()  # beside the suite's own

    @property
    def quick(self) -> bool:
        return self.scale == "quick"


@dataclass(frozen=True)
class Suite:
    """Configurations that run into one folder, and what a report shows of them."""

    parts: Mapping[str, RunConfig]  # by name
    layout: SuiteLayout


@dataclass(frozen=True)
class SuiteInfo:
    """A suite by name."""

    name: str
    summary: str
    make: Callable[[Asked], Suite]
    datasets: tuple[str, ...] = ()  # that may stand in place of its own

    def build(self, asked: Asked) -> Suite:
        """The suite as asked for; an error in words where it cannot be had so."""
        if asked.scale not in SCALES:
            raise UnknownName("scale", asked.scale, SCALES)
        name = asked.dataset.partition("[")[0].partition("@")[0]
        if name and name not in self.datasets:
            own = f"It may be {' or '.join(self.datasets)}." if self.datasets else "Leave it out."
            raise BenchError(f"the suite {self.name} decides its dataset.", hint=own)
        return self.make(asked)


def with_budget(suite: Suite, budget: Budget) -> Suite:
    """The suite with another budget: its largest becomes this one, smaller ones in proportion."""
    most = max(config.spent.amount for config in suite.parts.values())
    parts = {
        name: replace(config, budget=_share(budget, config.spent.amount / most))
        for name, config in suite.parts.items()
    }
    return replace(suite, parts=parts)


def _share(budget: Budget, share: float) -> Budget:
    amount = budget.amount * share
    whole = budget.kind in ("steps", "examples")
    return Budget(budget.kind, max(1.0, round(amount)) if whole else amount)


def joined(own: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """A suite's methods and those that join them, each once."""
    return tuple(dict.fromkeys((*own, *others)))
