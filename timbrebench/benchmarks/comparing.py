"""Differences of systems on the same test tracks, with their intervals and their p-values.

Which comparisons a run makes is declared here, before any result: each method against ``copy``
and against ``regress`` of its own budget, in timbre and in content. They are corrected together
(Holm); whatever else a reader compares is descriptive, and so are the cells of a suite's heat map.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from timbrebench.benchmarks import measure
from timbrebench.benchmarks.evidence import read_evidence
from timbrebench.benchmarks.finished import result_of
from timbrebench.benchmarks.plan import RIVALS
from timbrebench.benchmarks.reading import read_run
from timbrebench.benchmarks.store import Store
from timbrebench.core.compute import computes_of, may_rank
from timbrebench.core.interfaces import Evidence
from timbrebench.core.results import CellRecord, RunRecord
from timbrebench.core.statistics import (
    holm,
    jackknife_interval,
    mean,
    swap_p,
    swap_p_of_means,
    t_interval,
)

TIMBRE = ("fad_vggish", "fad_logmel")  # the first that was measured
CONTENT = "jaccard_melodia16k"

ByItem = Mapping[str, float]
DistanceFrom = Callable[[Mapping[str, np.ndarray]], Callable[[np.ndarray], float]]


@dataclass(frozen=True)
class Difference:
    """Of two systems in one metric on one task: the first's value minus the second's."""

    value: float
    low: float | None  # of the 95 % interval
    high: float | None
    p: float  # of two systems that are alike differing by as much, two-sided
    n: int  # tracks


def declared(run: RunRecord, store: Store) -> list[dict[str, Any]]:
    """The comparisons of a run that can be made, each with its p-value corrected over those of
    its corpus in its metric."""
    found: list[dict[str, Any]] = []
    results = Results(run, store)
    grids = run.suite.layout.grids if run.suite else ()
    in_grids = {label for grid in grids for label in grid.cells}
    for dataset in dict.fromkeys(cell.dataset for cell in run.cells):
        rows = list(_of_dataset(results, dataset, in_grids))
        corrected: dict[str, float] = {}
        for metric in dict.fromkeys(row["metric"] for row in rows):
            own = {str(i): r["p"] for i, r in enumerate(rows) if r["metric"] == metric}
            corrected |= holm(own)
        found += [r | {"dataset": dataset, "p_holm": corrected[str(i)]} for i, r in enumerate(rows)]
    return found


def _of_dataset(results: "Results", dataset: str, in_grids: Set[str]) -> Iterator[dict[str, Any]]:
    systems = [s for (of, *_), s in results.systems.items() if of == dataset]
    methods = [s for s in systems if not s[0].control and s[0].label not in in_grids]
    rivals = [s for s in systems if s[0].label in RIVALS]
    for system, rival in itertools.product(methods, rivals):
        if not may_rank(*(results.computes[of[0].key] for of in (system, rival))):
            continue
        for task in system[0].tasks:
            for metric in results.declared_metrics(task):
                made = difference((results, system), (results, rival), task, metric)
                if made is not None:
                    names = {"method": system[0].label, "rival": rival[0].label}
                    spent = {"budget": _spent(system[0]), "rival_budget": _spent(rival[0])}
                    yield {**names, **spent, "task": task, "metric": metric, **asdict(made)}


def _spent(cell: CellRecord) -> Mapping[str, Any]:
    """The budget, {} where nothing was trained."""
    return dict(cell.budget) if cell.stages else {}


class Results:
    """What a run found, by system: (dataset, label, compute) → its cells that ended well, a seed
    each."""

    def __init__(self, run: RunRecord, store: Store) -> None:
        self.store, self.computes = store, computes_of(run)
        self.systems: dict[tuple[str, str, str], list[CellRecord]] = {}
        for cell in run.cells:
            if cell.status == "ok":
                place = cell.dataset, cell.label, self.computes[cell.key]
                self.systems.setdefault(place, []).append(cell)
        self.by_item: dict[tuple[str, str, str], dict[str, float]] = {}
        self.whole: dict[tuple[str, str], Mapping[str, Any]] = {}  # (task, metric) → a row
        for row in run.rows:
            if row["status"] != "ok" or row["value"] is None:
                continue
            if row["item"]:
                place = row["cell"], row["task"], row["metric"]
                self.by_item.setdefault(place, {})[row["item"]] = float(row["value"])
            else:
                self.whole[row["task"], row["metric"]] = row

    def counterpart(self, other: "Results", place: tuple[str, str, str]) -> Sequence[CellRecord]:
        """The system of another run at the same place here; where both runs trained it with one
        budget each, also with another."""
        named = [[p for p in r.systems if p[:2] == place[:2]] for r in (self, other)]
        if place in self.systems:
            return self.systems[place]
        return self.systems[named[0][0]] if [len(of) for of in named] == [1, 1] else ()

    def declared_metrics(self, task: str) -> list[str]:
        """Those of the declared comparisons that were measured on a task."""
        timbre = next((m for m in TIMBRE if (task, m) in self.whole), None)
        return [m for m in (timbre, CONTENT) if m and (task, m) in self.whole]

    def items(self, cell: CellRecord, task: str, metric: str) -> ByItem:
        return self.by_item.get((cell.key, task, metric), {})

    def evidence(self, cell: CellRecord, task: str, metric: str) -> Evidence | None:
        folder = self.store.cell(cell.key)
        for name in result_of(self.store, cell.key).get("scores", []):
            if name.startswith(f"{metric}-"):
                return read_evidence((folder / "scores" / name).with_suffix(".npz"), task)
        return None


Side = tuple[Results, Sequence[CellRecord]]  # a system's cells in a run


def difference(a: Side, b: Side, task: str, metric: str) -> Difference | None:
    """Over the seeds and tracks that both have; None where there is nothing to compare."""
    (of_a, cells_a), (of_b, cells_b) = a, b
    pairs = list(zip(*_common_seeds(cells_a, cells_b), strict=True))
    items = [(of_a.items(x, task, metric), of_b.items(y, task, metric)) for x, y in pairs]
    if items and all(x and y for x, y in items):
        return difference_of_means(items)
    sets = [(of_a.evidence(x, task, metric), of_b.evidence(y, task, metric)) for x, y in pairs]
    known = [(x, y) for x, y in sets if x is not None and y is not None]
    if not known or len(known) < len(sets):
        return None
    return difference_of_sets(known, measure.with_defaults(metric).distance_from)


def _common_seeds(
    a: Sequence[CellRecord], b: Sequence[CellRecord]
) -> tuple[list[CellRecord], list[CellRecord]]:
    of_a, of_b = ({c.seed: c for c in side} for side in (a, b))
    seeds = sorted(of_a.keys() & of_b.keys())
    return [of_a[s] for s in seeds], [of_b[s] for s in seeds]


def difference_of_means(sides: Sequence[tuple[ByItem, ByItem]]) -> Difference | None:
    """``sides``: for each seed the values of both by track. Over the tracks that all have."""
    tracks = sorted(set.intersection(*(set(side) for pair in sides for side in pair)))
    if not tracks:
        return None
    a, b = ([mean([pair[i][t] for pair in sides]) for t in tracks] for i in (0, 1))
    differences = [x - y for x, y in zip(a, b, strict=True)]
    low, high = t_interval(differences) or (None, None)
    return Difference(mean(differences), low, high, swap_p_of_means(a, b), len(tracks))


def difference_of_sets(
    sides: Sequence[tuple[Evidence, Evidence]], distance_from: DistanceFrom
) -> Difference | None:
    """``sides``: for each seed what both distances were made from, by the metric's ``evidence``."""
    distances = [distance_from(a.references) for a, _ in sides]
    tracks = sorted(set.intersection(*(set(side.clips) for pair in sides for side in pair)))
    if len(tracks) < 2:
        return None

    def difference(swaps: Sequence[bool], left_out: str = "") -> float:
        """With the answers to some tracks changed over, and one track left out."""
        kept = [(t, swap) for t, swap in zip(tracks, swaps, strict=True) if t != left_out]
        found = []
        for (a, b), distance in zip(sides, distances, strict=True):
            first = [(b if swap else a).clips[t] for t, swap in kept]
            second = [(a if swap else b).clips[t] for t, swap in kept]
            found.append(distance(np.concatenate(first)) - distance(np.concatenate(second)))
        return mean(found)

    as_they_are = [False] * len(tracks)
    value = difference(as_they_are)
    interval = jackknife_interval(value, [difference(as_they_are, t) for t in tracks])
    low, high = interval or (None, None)
    return Difference(value, low, high, swap_p(len(tracks), difference), len(tracks))


def compare_run(root: Path) -> list[dict[str, Any]]:
    """The declared comparisons of a run folder, as comparisons.json holds them."""
    return declared(read_run(root), Store(root))


def compare_runs(first: Path, second: Path) -> list[dict[str, Any]]:
    """Each system of both runs: the second run's values minus the first's, in all metrics that
    have a direction, over the same tracks of the same corpora, cut alike."""
    runs = [read_run(root) for root in (first, second)]
    a, b = (Results(run, Store(run.path)) for run in runs)
    same = {
        name
        for name in {c.dataset for c in runs[0].cells} & {c.dataset for c in runs[1].cells}
        if len({_scored_on(run, name) for run in runs}) == 1
    }
    rows = []
    for (dataset, label, compute), cells in a.systems.items():
        others = b.counterpart(a, (dataset, label, compute))
        if dataset not in same or not others:
            continue
        for (task, metric), row in a.whole.items():
            if task not in cells[0].tasks or row["higher_is_better"] is None:
                continue
            made = difference((b, others), (a, cells), task, metric)
            if made is not None:
                name = _told_apart(a, dataset, label, cells[0])
                named = {"dataset": dataset, "method": name, "task": task, "metric": metric}
                better = {"higher_is_better": row["higher_is_better"]}
                rows.append({**named, **better, **asdict(made)})
    return rows


def _told_apart(results: Results, dataset: str, label: str, cell: CellRecord) -> str:
    """A label, with its budget where the run has several."""
    if sum(place[:2] == (dataset, label) for place in results.systems) < 2:
        return label
    return f"{label} ({cell.budget['amount']:g} {cell.budget['kind']})"


def _scored_on(run: RunRecord, dataset: str) -> tuple[Any, ...]:
    """What the estimates of a run are made from."""
    cut = (run.config.get(name) for name in ("max_seconds", "score_on"))
    return (run.corpus_of(dataset).get("fingerprint"), *cut)
