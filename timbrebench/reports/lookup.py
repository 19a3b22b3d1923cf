"""Figures of a suite's tables, looked up in its run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from timbrebench.core.layouts import Measured
from timbrebench.core.results import RunRecord, StageRecord
from timbrebench.reports.aggregate import overall
from timbrebench.reports.records import ABSENT, Column, Entry, Shown, System
from timbrebench.reports.systems import Evidence
from timbrebench.reports.tables import Measured as Entries
from timbrebench.reports.wording import STATUS_WORDS, explanation, number

Owned = Mapping[System, Sequence[Evidence]]


@dataclass(frozen=True)
class Found:
    """Where the figures of one run's suite are looked up."""

    run: RunRecord
    owned: Owned
    measured: Entries
    systems: Mapping[tuple[str, str], System]  # (part, label of its cells) → system

    def entry(self, wanted: Measured) -> Entry:
        """The figure, or why there is none."""
        system = self.systems.get((wanted.part, wanted.method))
        if system is None:
            return Entry(status="absent", reason="not among the methods of this run")
        kind, colon, name = wanted.quantity.partition(":")
        if not colon:
            entry = self.metric(system, wanted.quantity, wanted.tasks)
        elif system.status != "ok":
            entry = ABSENT
        else:
            count = kind == "parameters"
            entry = _count(self.owned[system], name) if count else self._kept(system, name)
        if entry.value is None and system.status != "ok":
            return Entry(status=system.status, reason=system.reason)
        return _scaled(entry, wanted.scale)

    def metric(self, system: System, metric: str, tasks: Sequence[str]) -> Entry:
        """A metric on one task, the mean over several, or (without a task) of the cell."""
        entries = self.measured[system]
        if len(tasks) > 1:
            return overall({task: entries.get((task, metric), ABSENT) for task in tasks})
        return entries.get((tasks[0] if tasks else "", metric), ABSENT)

    def _kept(self, system: System, where: str) -> Entry:
        """What the curve of a stage, 'STAGE/NAME', has of a name at the weights that were kept:
        those of the least validation loss, else the last."""
        stage_name, _, name = where.partition("/")
        cell = self.owned[system][0].cell
        known = [self.run.stages[key] for key in cell.stages if key in self.run.stages]
        stage = next((s for s in known if s.name == stage_name), None)
        value = _at_best(stage, name) if stage else None
        if value is None:
            return ABSENT
        return Entry(value, details={"stage": stage_name, "seed": cell.seed})


def found_of(run: RunRecord, owned: Owned, measured: Entries) -> Found:
    """The systems of the suite's parts, by their cells."""
    assert run.suite is not None
    of_cell = {e.cell.key: (e.cell.label, s) for s, cells in owned.items() for e in cells}
    systems = {
        (part, of_cell[key][0]): of_cell[key][1]
        for part, keys in run.suite.parts.items()
        for key in keys
        if key in of_cell
    }
    return Found(run, owned, measured, systems)


def _count(cells: Sequence[Evidence], name: str) -> Entry:
    """Parameters of a component of a stage, 'STAGE.COMPONENT', or of 'all'."""
    counts = cells[0].cell.outcome.get("parameters") or {}
    value = sum(counts.values()) if name == "all" else counts.get(name)
    return Entry(float(value)) if value else ABSENT


def _at_best(stage: StageRecord, name: str) -> float | None:
    points = [p for p in stage.curve if p.get(name) is not None]
    if not points:
        return None
    judged = [p for p in points if p.get("valid_loss") is not None]
    if judged:
        return float(min(judged, key=lambda p: p["valid_loss"])[name])
    return float(points[-1][name])


def _scaled(entry: Entry, scale: float) -> Entry:
    if scale == 1 or entry.value is None:
        return entry
    low, high = (None if end is None else end * scale for end in (entry.low, entry.high))
    by_seed = {seed: value * scale for seed, value in entry.by_seed.items()}
    return replace(entry, value=entry.value * scale, low=low, high=high, by_seed=by_seed)


# ---------------------------------------------------------------------------- as text


def shown_entry(entry: Entry, column: Column | None = None, marked: bool = False) -> Shown:
    """A measured figure, or the word for why there is none."""
    told = explanation(entry, column or Column(""))
    if entry.value is None:
        return Shown(STATUS_WORDS.get(entry.status, entry.status), told, marked)
    whole = abs(entry.value) >= 1000 and entry.value.is_integer()
    text = exact(entry.value) if whole else number(entry.value, column.unit if column else "")
    return Shown(text, told, marked)


def exact(value: float) -> str:
    """A published number with all its figures: '12,609,985', '7.09'."""
    return f"{value:,.0f}" if value.is_integer() else f"{value:g}"
