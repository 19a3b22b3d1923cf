"""The figures of a page, as what it holds of them: a URI, a title, words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from timbrebench.core.results import StageRecord
from timbrebench.reports import drawing, grid, plots
from timbrebench.reports.compute_plot import quality_over_compute
from timbrebench.reports.heatmap_plot import heat_map
from timbrebench.reports.listening import data_uri
from timbrebench.reports.records import HeatMap, Summary, Table


@dataclass(frozen=True)
class Picture:
    """A figure with the words for who cannot see it."""

    uri: str
    title: str
    alt: str


def pictures(summary: Summary, trainings: Mapping[str, Sequence[StageRecord]]) -> dict[str, Any]:
    """All figures of a page by the template's names for them; ``trainings`` by what is said of a
    stage, one a seed."""
    colours = drawing.colours(summary.systems)

    def draw_map(table: Table) -> bytes | None:
        return plots.timbre_content_map(table, colours, summary.choices)

    costs = {table.dataset: table for table in summary.costs}
    return {
        "maps": _drawn(summary.headline, draw_map, "map"),
        "task_maps": _drawn(summary.tables, draw_map, "map"),
        "computes": _drawn(
            summary.headline,
            lambda t: quality_over_compute(t, costs[t.dataset], colours),
            "cost",
        ),
        "heat_maps": {
            (report.run, one.title, heat.task, heat.column.metric): picture
            for report in summary.suites
            for one in report.grids
            for heat in one.maps
            if (picture := _heat_map(heat))
        },
        "losses": _picture(plots.loss_curves(trainings), "Loss", "Loss by step for every stage"),
        "undrawn": max(0, len(trainings) - plots.MOST_PANELS),
    }


def _heat_map(heat: HeatMap) -> Picture | None:
    title = f"{heat.column.metric}, {heat.task}"
    alt = f"{heat.column.metric} on {heat.task} over {heat.x} and {heat.y}, as in the table below"
    return _picture(heat_map(heat), title, alt)


_ALT = {
    "map": "Every system by its timbre distance and its content distance, as in the table",
    "cost": "What every trained system came to over its cost of training, as in the tables",
}


def _drawn(
    tables: Sequence[Table], draw: Callable[[Table], bytes | None], kind: str
) -> dict[tuple[str, str], Picture]:
    """(dataset, task) → picture, of the tables that have one."""
    found = {}
    for table in tables:
        picture = _picture(draw(table), grid.title_of(table), _ALT[kind])
        if picture:
            found[(table.dataset, table.task)] = picture
    return found


def _picture(svg: bytes | None, title: str, alt: str) -> Picture | None:
    return Picture(data_uri(svg, "image/svg+xml"), title, alt) if svg else None
