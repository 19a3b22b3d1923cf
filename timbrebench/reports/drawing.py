"""How figures look and how they become bytes that are the same for the same data."""

import contextlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from timbrebench.reports.records import System
from timbrebench.reports.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#737b87"  # readable on a light and on a dark page: figures have no ground of their own
CONTROL = "#9aa2ad"
# After Okabe and Ito, shifted to stand out on both grounds; every reader can tell them apart.
COLOURS = ("#2a8acb", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#a6761d")
_STYLE: Any = {
    "svg.hashsalt": "timbrebench",
    "svg.fonttype": "none",  # text stays text, in the reader's own font
    "text.parse_math": False,  # a '$' in a name is a dollar
    "font.size": 9.5,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "grid.color": INK,
    "grid.alpha": 0.18,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Every figure is made and saved inside this."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def figure(width: float, height: float) -> "Figure":
    """An empty figure, size in inches, bound to no window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def to_svg(drawn: "Figure") -> bytes:
    file = io.BytesIO()
    drawn.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def colours(systems: tuple[System, ...]) -> dict[str, str]:
    """Label → colour: each method its own, the same in every figure; controls grey."""
    labels = list(dict.fromkeys(s.label for s in systems if not s.control))
    chosen = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}
    return {s.label: chosen.get(s.label, CONTROL) for s in systems}


def log_axis(axis: "Axes", which: str) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    getattr(axis, f"set_{which}scale")("log")
    ticks = axis.xaxis if which == "x" else axis.yaxis
    low, high = ticks.get_view_interval()
    wide = high / low > 300
    ticks.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    ticks.set_major_formatter(
        FuncFormatter(lambda value, _: number(value) if value >= 1e4 else f"{value:g}")
    )
    ticks.set_minor_locator(NullLocator())
    ticks.set_minor_formatter(NullFormatter())
