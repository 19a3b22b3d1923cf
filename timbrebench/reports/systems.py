"""Cells of one or several runs → systems: what differs in the seed alone belongs together."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from timbrebench.core.compute import computes_of
from timbrebench.core.results import CellRecord, RunRecord
from timbrebench.reports.records import System
from timbrebench.reports.wording import budget_text, plain

Row = Mapping[str, Any]


@dataclass
class Evidence:
    """A cell with its run and all the rows that any run has for it."""

    run: str
    cell: CellRecord
    corpus: Mapping[str, Any]
    compute: str = ""  # see core.compute
    rows: list[Row] = field(default_factory=list)


def gather(runs: Sequence[RunRecord]) -> list[Evidence]:
    """Every cell once, in the order of the runs; a cell that two runs share has both's rows."""
    found: dict[str, Evidence] = {}
    rows: dict[str, dict[tuple, Row]] = defaultdict(dict)
    for run in runs:
        computes = computes_of(run)
        for cell in run.cells:
            known = found.get(cell.key)
            if known is None or (known.cell.status != "ok" and cell.status == "ok"):
                corpus, compute = run.corpus_of(cell.dataset), computes[cell.key]
                found[cell.key] = Evidence(run.path.name, cell, corpus, compute)
        for row in run.rows:
            place = (row["task"], row["metric"], row["item"])
            if rows[row["cell"]].get(place, {}).get("status") != "ok":
                rows[row["cell"]][place] = row
    for key, evidence in found.items():
        evidence.rows = list(rows[key].values())
    return list(found.values())


def systems_of(gathered: Sequence[Evidence]) -> dict[System, list[Evidence]]:
    """The systems, each with its cells in the order of their seeds."""
    groups: dict[tuple, list[Evidence]] = defaultdict(list)
    for evidence in gathered:
        groups[_identity(evidence)].append(evidence)
    parts = [part for group in groups.values() for part in _split_repeated_seeds(group)]
    parts = [sorted(part, key=lambda e: e.cell.seed) for part in parts]
    labels = _unique_labels(parts)
    return {_system(p, label): p for p, label in zip(parts, labels, strict=True)}


def _identity(evidence: Evidence) -> tuple:
    cell = evidence.cell
    settings = json.dumps([cell.options, cell.budget, cell.augment], sort_keys=True, default=str)
    return (cell.dataset, cell.label, settings, str(evidence.corpus.get("fingerprint", "")))


def _split_repeated_seeds(group: list[Evidence]) -> list[list[Evidence]]:
    """One seed twice means that something unseen differs (the code, say): then by run."""
    if len({e.cell.seed for e in group}) == len(group):
        return [group]
    by_run: dict[str, list[Evidence]] = defaultdict(list)
    for evidence in group:
        by_run[evidence.run].append(evidence)
    return list(by_run.values())


def _unique_labels(parts: Sequence[list[Evidence]]) -> list[str]:
    """Labels that differ within a dataset: by augmentation, budget, run, both, at last by key."""
    labels = [part[0].cell.label for part in parts]
    by_name: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, part in enumerate(parts):
        by_name[part[0].cell.dataset, labels[i]].append(i)
    for same in by_name.values():
        if len(same) > 1:
            for i, told in zip(same, _distinctions([parts[i][0] for i in same]), strict=True):
                labels[i] = f"{labels[i]} ({told})"
    return labels


def _distinctions(same: Sequence[Evidence]) -> list[str]:
    candidates = (
        [f"augmented by {e.cell.augment}" if e.cell.augment else "as it is" for e in same],
        [budget_text(e.cell.budget) for e in same],
        [e.run for e in same],
        [f"{budget_text(e.cell.budget)}, {e.run}" for e in same],
    )
    unique = (texts for texts in candidates if len(set(texts)) == len(texts) and all(texts))
    return next(unique, [e.cell.key for e in same])


def _system(part: Sequence[Evidence], label: str) -> System:
    cells = [e.cell for e in part]
    first = cells[0]
    bad = next((c for c in cells if c.status != "ok"), None)
    return System(
        label=label,
        method=first.method,
        dataset=first.dataset,
        control=first.control,
        supervision=first.supervision,
        seeds=tuple(c.seed for c in cells),
        done=tuple(c.seed for c in cells if c.status == "ok"),
        status=bad.status if bad else "ok",
        reason=bad.reason if bad else "",
        cells=tuple(c.key for c in cells),
        tasks=tuple(dict.fromkeys(t for c in cells for t in c.tasks)),
        budget=budget_text(first.budget),
        compute=next((e.compute for e in part if e.compute), ""),
    )


def own_cells(system: System, gathered: Sequence[Evidence]) -> list[CellRecord]:
    """The cells of a system, in the order of its seeds."""
    by_key = {e.cell.key: e.cell for e in gathered}
    return [by_key[key] for key in system.cells]


def options_text(cell: CellRecord) -> str:
    return ", ".join(f"{name}={plain(value)}" for name, value in sorted(cell.options.items()))
