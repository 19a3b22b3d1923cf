"""Quality over compute, as SVG: what each method makes of each of its budgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timbrebench.reports.drawing import figure, log_axis, style, to_svg
from timbrebench.reports.plots import shortened, timbre_column
from timbrebench.reports.records import Column, Line, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Trained:
    """A system that was trained: what that took, and what came of it."""

    line: Line
    spent: float
    quality: float

    @property
    def name(self) -> str:
        """The method's label, without the budget that sets it apart."""
        return self.line.system.label.removesuffix(f" ({self.line.system.budget})")


def quality_over_compute(table: Table, costs: Table, colours: Mapping[str, str]) -> bytes | None:
    """The timbre distance (where there is none, the first measure that has a direction) over what
    training took; None with under 2 trained systems.

    A method trained with several budgets is one line through its points.
    """
    spent, quality = _spent_column(costs), _quality_column(table)
    if spent is None or quality is None:
        return None
    cost_of = {line.system: line.entry(spent).value for line in costs.lines}
    lines = table.blocks[0].lines if table.blocks else ()
    trained = [
        Trained(line, x, y)
        for line in lines
        if (x := cost_of.get(line.system)) and (y := line.entry(quality).value)
    ]
    if len(trained) < 2:
        return None
    with style():
        drawn = figure(6.2, 4.3)
        axes = drawn.subplots()
        for name, path in _by_method(trained).items():
            _draw_path(axes, name, path, colours[path[0].line.system.label])
        axes.set_xlabel(f"{spent.metric}  ({spent.unit or 'training'}; log scale)")
        better = "higher" if quality.higher_is_better else "lower"
        axes.set_ylabel(f"{quality.metric}  ({better} is better; log scale)")
        axes.margins(0.08)
        log_axis(axes, "x")
        log_axis(axes, "y")
        axes.grid(True)
        drawn.legend(loc="outside right upper", fontsize=8.5)
        return to_svg(drawn)


def _quality_column(table: Table) -> Column | None:
    """The measure of timbre, else the first that says what is better."""
    ranked = (c for c in table.columns if not c.cost and c.higher_is_better is not None)
    return timbre_column(table) or next(ranked, None)


def _spent_column(costs: Table) -> Column | None:
    """Training FLOPs where two or more systems have them and they differ, else the seconds:
    under one budget of FLOPs there is nothing to see along it."""
    by_name = {column.metric: column for column in costs.columns}
    for name, least_span in (("train_flops", 1.1), ("train_seconds", 1.0)):
        if name in by_name:
            spent = [v for line in costs.lines if (v := line.entry(by_name[name]).value)]
            if len(spent) > 1 and max(spent) >= least_span * min(spent):
                return by_name[name]
    return None


def _by_method(trained: Sequence[Trained]) -> dict[str, list[Trained]]:
    """Systems that differ in budget alone together, by rising cost."""
    paths: dict[str, list[Trained]] = {}
    for one in sorted(trained, key=lambda one: one.spent):
        paths.setdefault(one.name, []).append(one)
    return paths


def _draw_path(axes: "Axes", name: str, path: Sequence[Trained], colour: str) -> None:
    control = path[0].line.system.control
    axes.plot(
        [one.spent for one in path],
        [one.quality for one in path],
        "s--" if control else "o-",
        color=colour,
        markerfacecolor="none" if control else colour,
        markersize=7,
        lw=1.2,
        label=shortened(name, 32),
    )
