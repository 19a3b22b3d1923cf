"""Cells that differ in two options: heat maps of their measures, and the trade-off in words."""

from collections.abc import Sequence

from timbrebench.core.layouts import SuiteGrid
from timbrebench.reports.lookup import Found, shown_entry
from timbrebench.reports.records import ABSENT, Column, Entry, Grid, HeatMap, Sheet, SheetRow
from timbrebench.reports.wording import number


def grid_of(grid: SuiteGrid, found: Found) -> Grid:
    """A map for each task and metric that has a value."""
    metrics = (*grid.timbre, *grid.content)
    maps = [_map(grid, task, metric, found) for task in grid.tasks for metric in metrics]
    maps = [m for m in maps if any(e.value is not None for row in m.entries for e in row)]
    return Grid(
        title=grid.title,
        maps=tuple(maps),
        sentences=tuple(
            text for task in grid.tasks if (text := _sentence(grid, task, maps, found))
        ),
        notes=grid.notes,
    )


def _map(grid: SuiteGrid, task: str, metric: str, found: Found) -> HeatMap:
    at = {place: _entry(grid, label, task, metric, found) for label, place in grid.cells.items()}
    xs = sorted({x for x, _ in at})
    ys = sorted({y for _, y in at}, reverse=True)
    return HeatMap(
        task=task,
        column=Column(metric, higher_is_better=False),
        x=grid.x,
        y=grid.y,
        xs=tuple(xs),
        ys=tuple(ys),
        entries=tuple(tuple(at.get((x, y), ABSENT) for x in xs) for y in ys),
        matched=tuple(sorted(grid.cells[label] for label in grid.diagonal)),
    )


def _entry(grid: SuiteGrid, label: str, task: str, metric: str, found: Found) -> Entry:
    system = found.systems.get((grid.part, label))
    if system is None:
        return ABSENT
    entry = found.metric(system, metric, (task,))
    if entry is ABSENT and system.status != "ok":
        return Entry(status=system.status, reason=system.reason)
    return entry


def sheet_of_map(heat: HeatMap) -> Sheet:
    """The map as a table."""
    rows = tuple(
        SheetRow(
            f"{heat.y} = {y:g}",
            tuple(
                shown_entry(heat.entry(x, y), heat.column, marked=(x, y) in heat.matched)
                for x in heat.xs
            ),
        )
        for y in heat.ys
    )
    headings = tuple(f"{heat.x} = {x:g}" for x in heat.xs)
    return Sheet(f"{heat.column.metric}, {heat.task}", headings, rows)


# ---------------------------------------------------------------------------- in words

Matched = Sequence[tuple[float, float, float]]  # matched cells: x, timbre, content


def _sentence(grid: SuiteGrid, task: str, maps: Sequence[HeatMap], found: Found) -> str:
    """How timbre and content move along the matched cells, from this run's figures alone."""
    own = {m.column.metric: m for m in maps if m.task == task}
    timbre = next((own[m] for m in grid.timbre if m in own), None)
    content = next((own[m] for m in grid.content if m in own), None)
    if timbre is None or content is None:
        return ""
    path = [
        (x, t, c)
        for x, y in timbre.matched
        if (t := timbre.entry(x, y).value) is not None
        and (c := content.entry(x, y).value) is not None
    ]
    if len(path) < 2:
        return ""
    names = timbre.column.metric, content.column.metric
    base = [_entry(grid, grid.baseline, task, name, found).value for name in names]
    parts = (
        f"{task}: {_start(grid.baseline, names, base)}{_along(grid, names, base, path)}.",
        _verdict(path),
        _least(timbre, content),
    )
    return " ".join(parts)


def _start(name: str, metrics: Sequence[str], values: Sequence[float | None]) -> str:
    """What the cells are held against."""
    timbre, content = values
    if timbre is None or content is None:
        return ""
    return f"{name} has {metrics[0]} {number(timbre)} and {metrics[1]} {number(content)}. "


def _along(
    grid: SuiteGrid, metrics: Sequence[str], base: Sequence[float | None], path: Matched
) -> str:
    """Both measures over the matched cells; timbre as a share of the baseline's, if it has one."""
    places = ", ".join(f"{x:g}" for x, _, _ in path)
    share, whose = (base[0], f" of {grid.baseline}'s") if base[0] else (1.0, "")
    timbre = ", ".join(number(t / share) for _, t, _ in path)
    content = ", ".join(number(c) for _, _, c in path)
    return (
        f"In the matched cells at {grid.x} = {places}, {metrics[0]} is {timbre}{whose}, "
        f"{metrics[1]} is {content}"
    )


def _verdict(path: Matched) -> str:
    """From the first matched cell to the last: lower is better for both measures."""
    nearer, lost = path[-1][1] < path[0][1], path[-1][2] > path[0][2]
    if nearer and lost:
        return "More noise brings the timbre nearer and takes content away."
    if nearer:
        return "More noise brings the timbre nearer, and content is not lost."
    if lost:
        return "More noise takes content away and brings the timbre no nearer."
    return "More noise brings the timbre no nearer here."


def _least(timbre: HeatMap, content: HeatMap) -> str:
    """The best timbre of all cells, and what is left of the content there."""
    at = {
        (x, y): value
        for x in timbre.xs
        for y in timbre.ys
        if (value := timbre.entry(x, y).value) is not None
    }
    (x, y), value = min(at.items(), key=lambda item: item[1])
    kept = content.entry(x, y).value
    beside = f", with {content.column.metric} {number(kept)}" if kept is not None else ""
    where = f"{timbre.x} = {x:g}, {timbre.y} = {y:g}"
    return f"The least {timbre.column.metric} of all cells is {number(value)}, at {where}{beside}."
