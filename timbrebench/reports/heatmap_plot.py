"""A heat map as a figure: labelled cells, the matched ones framed."""

from typing import TYPE_CHECKING, Any

from timbrebench.reports.drawing import INK, figure, style, to_svg
from timbrebench.reports.records import HeatMap
from timbrebench.reports.wording import entry_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = "viridis_r"  # bright where low, which is good; told apart by every reader
WIDE = 20.0  # a larger ratio of values is drawn on a logarithmic scale
FRAME = "#d55e00"


def heat_map(heat: HeatMap) -> bytes | None:
    """None where no cell has a value."""
    values = [[entry.value for entry in row] for row in heat.entries]
    known = [v for row in values for v in row if v is not None]
    if not known:
        return None
    with style():
        drawn = figure(1.4 + 0.78 * len(heat.xs), 1.2 + 0.52 * len(heat.ys))
        axes = drawn.subplots()
        _draw_cells(axes, heat, _scale(known))
        _frame_matched(axes, heat)
        axes.set_xticks(range(len(heat.xs)), [f"{x:g}" for x in heat.xs])
        axes.set_yticks(range(len(heat.ys)), [f"{y:g}" for y in heat.ys])
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_xlabel(heat.x)
        axes.set_ylabel(heat.y, rotation=0, labelpad=10, va="center")
        axes.set_title(f"{heat.column.metric}  (lower is better)", fontsize=9.5, loc="left")
        return to_svg(drawn)


def _scale(known: list[float]) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    low, high = min(known), max(known)
    if low > 0 and high > WIDE * low:
        return LogNorm(low, high)
    return Normalize(low, high if high > low else low + 1.0)


def _draw_cells(axes: "Axes", heat: HeatMap, scale: Any) -> None:
    """A filled square and its value for each cell; one without a value is empty."""
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    for row, entries in enumerate(heat.entries):
        for column, entry in enumerate(entries):
            filled = None if entry.value is None else colormaps[COLOURS](scale(entry.value))
            square = Rectangle(
                (column - 0.5, row - 0.5), 1, 1, facecolor=filled or "none", edgecolor="none"
            )
            axes.add_patch(square)
            axes.text(
                column,
                row,
                entry_text(entry),
                ha="center",
                va="center",
                color=_readable(filled),
                fontsize=9 if entry.value is not None else 7.5,
            )
    axes.set_xlim(-0.5, len(heat.xs) - 0.5)
    axes.set_ylim(len(heat.ys) - 0.5, -0.5)


def _readable(filled: Any) -> str:
    """Black or white, whichever stands out on a colour (red, green, blue, alpha)."""
    if filled is None:
        return INK
    red, green, blue = filled[:3]
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.42 else "#ffffff"


def _frame_matched(axes: "Axes", heat: HeatMap) -> None:
    from matplotlib.patches import Rectangle

    for x, y in heat.matched:
        if x in heat.xs and y in heat.ys:
            corner = (heat.xs.index(x) - 0.46, heat.ys.index(y) - 0.46)
            axes.add_patch(
                Rectangle(corner, 0.92, 0.92, fill=False, edgecolor=FRAME, linewidth=2.2)
            )
