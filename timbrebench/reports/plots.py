"""Figures of a report, as SVG: timbre against content, loss."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from timbrebench.core.results import StageRecord
from timbrebench.reports.choices import CURVE
from timbrebench.reports.drawing import INK, figure, log_axis, style, to_svg
from timbrebench.reports.records import Choice, Column, Entry, Line, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVE_POINTS = 240  # a longer curve is thinned: a page shows no more
PANELS = 3  # a row
MOST_PANELS, MOST_SEEDS = 24, 5  # of loss: more can be read by nobody, and take minutes to draw


@dataclass(frozen=True)
class Point:
    """A line's place in a plane of two metrics."""

    line: Line
    x: Entry
    y: Entry


def content_column(table: Table) -> Column | None:
    """The measure of content for the map: a Jaccard distance, if there is one."""
    return next((c for c in table.columns if c.metric.startswith("jaccard")), None)


def timbre_column(table: Table) -> Column | None:
    """The measure of timbre for the map: the first distance of embeddings, if there is one."""
    found = (c for c in table.columns if c.metric.startswith(("fad_", "kad_")))
    return next(found, None)


def _points(table: Table, x: Column, y: Column) -> list[Point]:
    lines = table.blocks[0].lines if table.blocks else ()
    found = [Point(line, line.entry(x), line.entry(y)) for line in lines]
    return [p for p in found if p.x.value is not None and p.y.value is not None]


# ---------------------------------------------------------------------------- the map


def timbre_content_map(
    table: Table, colours: Mapping[str, str], choices: Sequence[Choice] = ()
) -> bytes | None:
    """Timbre across (log), content upwards: the lower left is good. None with under 2 points.

    Only the largest block is drawn: other blocks rest on other test items. A dashed line is what a
    method's other sampling options came to on validation tracks.
    """
    x, y = timbre_column(table), content_column(table)
    if x is None or y is None or len(points := _points(table, x, y)) < 2:
        return None
    with style():
        drawn = figure(6.2, 4.3)
        axes = drawn.subplots()
        least = min((p.x.value for p in points if p.x.value), default=1e-3) / 2
        for label, curve in _curves(table, x, y, choices):
            across, up = zip(*curve, strict=True)
            axes.plot(across, up, "--.", color=colours[label], lw=0.8, ms=3, alpha=0.5, zorder=1)
        for point in points:
            _draw_point(axes, point, colours[point.line.system.label], least)
        axes.set_xlabel(f"{x.metric}  (timbre; log scale; lower is better)")
        axes.set_ylabel(f"{y.metric}  (content; lower is better)")
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.margins(x=0.12)
        log_axis(axes, "x")
        axes.grid(True)
        drawn.draw_without_rendering()
        _label_points(axes, points, colours, least)
        return to_svg(drawn)


def _curves(
    table: Table, x: Column, y: Column, choices: Sequence[Choice]
) -> list[tuple[str, Sequence[tuple[float, float]]]]:
    """(label, points) of what was tried for this very task, if the map's axes are what it was
    judged by."""
    if (x.metric, y.metric) != CURVE:
        return []
    shown = {line.system.label for line in table.lines}
    return [
        (choice.label, curve)
        for choice in choices
        if (choice.dataset, choice.task) == (table.dataset, table.task) and choice.label in shown
        for curve in choice.curves
    ]


def _draw_point(axes: "Axes", point: Point, colour: str, least: float) -> None:
    system = point.line.system
    x, y = _place(point, least)
    marker, size = {"oracle": ("*", 13), "copy": ("s", 7)}.get(
        system.method, ("o", 6 if system.control else 8)
    )
    axes.errorbar(
        [x],
        [y],
        xerr=_bars(point.x, x, least),
        yerr=_bars(point.y, y, -1.0),
        fmt=marker,
        markersize=size,
        color=colour,
        markerfacecolor="none" if system.control and not system.bound else colour,
        markeredgewidth=1.4,
        elinewidth=0.9,
        alpha=0.95,
    )


def _bars(entry: Entry, value: float, least: float) -> list[list[float]] | None:
    if entry.low is None or entry.high is None:
        return None
    return [[max(value - max(entry.low, least), 0.0)], [max(entry.high - value, 0.0)]]


def _place(point: Point, least: float) -> tuple[float, float]:
    """Where a point is drawn: a distance of zero has no place on a logarithmic axis."""
    return max(point.x.value or 0.0, least), point.y.value or 0.0


# A label's offset from its point in pixels, its alignment, and its box's lower left corner in
# widths of the label and pixels: (offset), alignment, (widths, pixels across, pixels up).
_SIDES = (  # clear of error bars first
    ((9, 9), "left", (0.0, 9, 8)),
    ((9, -18), "left", (0.0, 9, -21)),
    ((9, -4), "left", (0.0, 9, -6)),
    ((-9, -4), "right", (-1.0, -9, -6)),
    ((0, 10), "center", (-0.5, 0, 8)),
    ((0, -18), "center", (-0.5, 0, -20)),
)


def _label_points(
    axes: "Axes", points: Sequence[Point], colours: Mapping[str, str], least: float
) -> None:
    """Writes each name on the side where it overlaps least with what is there already."""
    spots = [axes.transData.transform(_place(point, least)) for point in points]
    taken = [(x - 8, y - 8, x + 8, y + 8) for x, y in spots]
    frame = axes.get_window_extent()
    for point, (x, y) in zip(points, spots, strict=True):
        label = shortened(point.line.system.label, 28)
        width, height = 6.0 * len(label), 13.0  # pixels, about
        boxes = []
        for _, _, (widths, dx, dy) in _SIDES:
            left, bottom = x + widths * width + dx, y + dy
            boxes.append((left, bottom, left + width, bottom + height))
        costs = [sum(_overlap(box, o) for o in taken) + _outside(box, frame) for box in boxes]
        best = costs.index(min(costs))
        taken.append(boxes[best])
        axes.annotate(
            label,
            _place(point, least),
            xytext=_SIDES[best][0],
            textcoords="offset pixels",
            ha=_SIDES[best][1],
            color=colours[point.line.system.label],
        )


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Area shared by two boxes (left, bottom, right, top)."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)


def _outside(box: Sequence[float], frame: Any) -> float:
    area = (box[2] - box[0]) * (box[3] - box[1])
    return 3 * (area - _overlap(box, (frame.x0, frame.y0, frame.x1, frame.y1)))


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


# ---------------------------------------------------------------------------- loss


def loss_curves(trainings: Mapping[str, Sequence[StageRecord]]) -> bytes | None:
    """Training (thin) and validation (thick) loss by step: a panel for each name, of up to
    MOST_PANELS, with the trainings of up to MOST_SEEDS seeds."""
    some = list(trainings.items())[:MOST_PANELS]
    drawn_of = {name: [s for s in of if _series(s, "loss")[0]][:MOST_SEEDS] for name, of in some}
    drawable = [(name, stages) for name, stages in drawn_of.items() if stages]
    if not drawable:
        return None
    with style():
        rows = -(-len(drawable) // PANELS)
        drawn = figure(10.5, 2.5 * rows)
        panels = list(drawn.subplots(rows, PANELS, squeeze=False).flat)
        for axes, (name, stages) in zip(panels, drawable, strict=False):
            _draw_curves(axes, stages)
            axes.set_title(shortened(name, 44), fontsize=9, loc="left")
        for axes in panels[len(drawable) :]:
            axes.set_visible(False)
        return to_svg(drawn)


def _draw_curves(axes: "Axes", stages: Sequence[StageRecord]) -> None:
    least = math.inf
    for number, stage in enumerate(stages):
        train, valid = ("train", "valid") if number == 0 else (None, None)  # one legend for all
        steps, losses = _series(stage, "loss")
        axes.plot(steps, losses, color=INK, lw=0.8, label=train)
        valid_steps, values = _series(stage, "valid_loss")
        axes.plot(valid_steps, values, color="#d55e00", lw=1.6, marker=".", ms=3, label=valid)
        least = min([least, *losses, *values])
    axes.set_xlabel("step")
    if least > 0:
        log_axis(axes, "y")
    axes.grid(True)
    axes.legend(loc="upper right", fontsize=8)


def _series(stage: StageRecord, name: str) -> tuple[list[float], list[float]]:
    """(steps, values) of what the curve has of a name, thinned."""
    points = [(p["step"], p[name]) for p in stage.curve if p.get(name) is not None]
    points = points[:: -(-len(points) // CURVE_POINTS) or 1]
    return [float(s) for s, _ in points], [float(v) for _, v in points]
