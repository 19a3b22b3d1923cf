"""Scores of a cell's estimates: one file a metric, so that a new metric only adds its own."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from timbrebench.benchmarks import forms, measure
from timbrebench.benchmarks.evidence import write_evidence
from timbrebench.benchmarks.forms import misfit, read
from timbrebench.benchmarks.measure import Chosen, chosen_metric
from timbrebench.benchmarks.session import Session
from timbrebench.benchmarks.store import Store
from timbrebench.core import files
from timbrebench.core.errors import one_line
from timbrebench.core.interfaces import LABELLED, PUBLISHED, Evidence
from timbrebench.core.manifest import Entry
from timbrebench.core.memory import OutOfMemory, is_out_of_memory
from timbrebench.core.notes import notes_of
from timbrebench.core.records import Clip, Task
from timbrebench.core.registry import registry
from timbrebench.core.results import OTHER_HALF
from timbrebench.core.signs import alive

Row = dict[str, Any]
Report = Callable[[Mapping[str, Any]], None]


class Scorer:
    """Scores the estimates in a cell's folder with one metric after another."""

    def __init__(self, session: Session, store: Store, folder: Path, report: Report) -> None:
        self.session, self.store, self.folder, self.report = session, store, folder, report
        self.items: list[dict[str, Any]] = []

    def run(self, metrics: Sequence[Mapping[str, Any]], outcome: Mapping[str, Any]) -> list[str]:
        """Names of the score files, each written unless it is there already. What a cell cost is
        written again where its times were taken again."""
        self.items = files.read_json(self.folder / "estimates.json")["items"]
        names = []
        for number, choice in enumerate(metrics):
            what = f"scores ({choice['name']})"
            self.report({"event": "progress", "what": what, "share": number / len(metrics)})
            name = score_file(choice)
            path = self.folder / "scores" / name
            known, chosen = read(path, forms.SCORES), chosen_metric(choice)
            if known is None or chosen.entry.info.kind == "cell":
                self.evidence: dict[str, Evidence] = {}
                rows = [_of_form(row) for row in self._rows_within_memory(chosen, outcome)]
                if self.evidence:
                    write_evidence(path.with_suffix(".npz"), self.evidence)
                if rows != known:
                    files.write_json(path, rows)
            names.append(name)
        return names

    def _rows_within_memory(self, chosen: Chosen, outcome: Mapping[str, Any]) -> list[Row]:
        """Raises OutOfMemory where the metric needs more than there is: estimates are all made,
        and nothing that could be done in smaller parts is left."""
        try:
            return self._rows(chosen, outcome)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(
                f"the metric {chosen.entry.name} ran out of memory: {one_line(error)}.",
                hint="All else is kept. Give it more (--host-memory, fewer --jobs), or leave it "
                "out (--metrics).",
            ) from error

    def _rows(self, chosen: Chosen, outcome: Mapping[str, Any]) -> list[Row]:
        entry = chosen.entry
        metric, reason = measure.ask(measure.create_metric, chosen)
        tasks: list[Task | None] = [*self.session.tasks]
        if entry.info.kind == "cell":
            tasks = [None]
        if metric is None:
            return [r for t in tasks for r in _all(entry, t, "", "failed", reason)]
        if lacking := measure.missing(metric):
            return [r for t in tasks for r in _all(entry, t, "", "missing", lacking)]
        if entry.info.kind == "cell":
            return self._cell_rows(entry, metric, outcome)
        of_task = self._pair_rows if entry.info.kind == "pair" else self._set_rows
        rows = []
        for task in self.session.all_tasks:
            if reason := self._not_applicable(entry, task):
                rows += _all(entry, task, "", "not_applicable", reason)
            else:
                rows += of_task(entry, metric, task)
        return rows

    def _not_applicable(self, entry: Entry, task: Task) -> str:
        if task.kind not in entry.info.kinds:
            return f"{entry.name} does not measure {task.kind} tasks"
        if entry.info.references == LABELLED and any("+" in end for end in task.ends):
            return f"{entry.name} tells instruments apart that play alone"
        return self.session.not_applicable(task)

    # ------------------------------------------------------------------ by item

    def _pair_rows(self, entry: Entry, metric: Any, task: Task) -> list[Row]:
        rows: list[Row] = []
        for item in self._items(task):
            rows += self._item_rows(entry, metric, task, item)
        measures = entry.info.measures
        if task.kind == "pair":
            measures = tuple(replace(m, higher_is_better=None) for m in measures)
        return rows + [_mean(entry, task, m, rows) for m in measures]

    def _item_rows(self, entry: Entry, metric: Any, task: Task, item: dict[str, Any]) -> list[Row]:
        track = item["track"]
        if item["status"] != "ok":
            return _all(entry, task, track, item["status"], item["reason"])
        if task.kind == "pair":
            return self._half_rows(entry, metric, task, item)
        against = item["target"] or (item["source"] if entry.info.against_source else "")
        if not against:
            reason = "the item has no counterpart by the target"
            return _all(entry, task, track, "not_applicable", reason)
        told = "target" if item["target"] else "source"
        notes, reason = None, ""
        if entry.info.written:
            notes, reason = measure.ask(notes_of, self.session.corpus, track, against)
        if entry.info.written and notes is None:
            reason = reason or f"the written notes of {track} are not known"
            return _all(entry, task, track, "not_applicable", reason)

        def measured() -> list[Row]:
            reference = self._reference(against, track, entry.info.rate)
            reference = replace(reference, notes=notes)
            values = metric.measure(reference, self._estimate(item, entry.info.rate))
            return [_row(m, task, track, values.get(m.name), told) for m in entry.info.measures]

        rows, reason = measure.ask(measured)
        return _all(entry, task, track, "failed", reason, told) if rows is None else rows

    def _half_rows(self, entry: Entry, metric: Any, task: Task, item: dict[str, Any]) -> list[Row]:
        """The halves of a pair, each other's reference. How alike they are is neither good nor
        bad: white noise is more like itself than two parts of a piece are."""
        told = OTHER_HALF

        def measured() -> list[Row]:
            halves = [
                _clip(self.folder / item[file], entry.info.rate, instrument, item["track"])
                for file, instrument in (("other_file", task.b), ("file", task.a))
            ]
            values = metric.measure(*halves)
            measures = [replace(m, higher_is_better=None) for m in entry.info.measures]
            return [_row(m, task, item["track"], values.get(m.name), told) for m in measures]

        rows, reason = measure.ask(measured)
        return _all(entry, task, item["track"], "failed", reason, told) if rows is None else rows

    def _items(self, task: Task) -> list[dict[str, Any]]:
        return [i for i in self.items if i["task"] == task.name]

    def _estimate(self, item: Mapping[str, Any], rate: int) -> Clip:
        return _clip(self.folder / item["file"], rate, item["target"], item["track"])

    def _reference(self, instrument: str, track: str, rate: int) -> Clip:
        path = self.store.reference(self.session.cell["references"], instrument, track)
        return _clip(path, rate, instrument, track)

    # ------------------------------------------------------------------ by task

    def _set_rows(self, entry: Entry, metric: Any, task: Task) -> list[Row]:
        items = [i for i in self._items(task) if i["status"] == "ok"]
        if not items:
            first = next(iter(self._items(task)), {"status": "failed", "reason": "no test item"})
            return _all(entry, task, "", first["status"], first["reason"])
        if task.kind != "pair":
            return self._rows_of_set(entry, metric, task, task.target, items)
        of_a = self._rows_of_set(entry, metric, task, task.a, items)
        of_b = self._rows_of_set(entry, metric, task, task.b, items, "other_file")
        return _of_halves(task, of_a, of_b)

    def _rows_of_set(
        self,
        entry: Entry,
        metric: Any,
        task: Task,
        instrument: str,
        items: Sequence[Mapping[str, Any]],
        file: str = "file",
    ) -> list[Row]:
        rate, protocol = entry.info.rate, entry.info.references
        references, told = self.session.references(instrument, rate, protocol)
        others = self._other_direction(task) if protocol == PUBLISHED else []
        if others:
            told += "; estimates of both directions"

        def measured() -> list[Row]:
            estimates = [_clip(self.folder / i[file], rate, instrument, i["track"]) for i in items]
            pooled = [
                *estimates,
                *(_clip(self.folder / i["file"], rate, "", f"{i['track']}/back") for i in others),
            ]
            values, details = metric.measure(references, pooled)
            if metric.bounded:
                details |= self._bounds(entry, metric, task, references, estimates)
            kept = metric.evidence(references, pooled) if task.kind != "pair" else None
            if kept is not None:
                self.evidence[task.name] = kept
            known = {"n": details.get("n"), "details": {**details, "items": _tracks(items)}}
            rows = [_row(m, task, "", values.get(m.name), told) for m in entry.info.measures]
            return [row | known for row in rows]

        rows, reason = measure.ask(measured)
        return _all(entry, task, "", "failed", reason, told) if rows is None else rows

    def _bounds(
        self,
        entry: Entry,
        metric: Any,
        task: Task,
        references: Sequence[Clip],
        estimates: Sequence[Clip],
    ) -> Row:
        """What other real music (floor) and the unchanged source (ceiling) have against the same
        references."""
        of = self.session.references
        if entry.info.references == PUBLISHED:  # all real music is among its references
            return {}
        held_out, told = of.held_out(estimates[0].instrument, entry.info.references, estimates)
        found = {"floor": self._bound(metric, references, held_out) | {"of": told}}
        if task.source:
            sources = of.sources(task.source, estimates)
            found["ceiling"] = self._bound(metric, references, sources) | {"of": task.source}
        return found

    @staticmethod
    def _bound(metric: Any, references: Sequence[Clip], clips: Sequence[Clip]) -> Row:
        answer, reason = measure.ask(metric.measure, references, clips)
        if answer is None:
            return {"value": None, "reason": reason}
        values, details = answer
        return {"value": next(iter(values.values())), "n": details.get("n")}

    def _other_direction(self, task: Task) -> list[dict[str, Any]]:
        """The items of the same conversion the other way, where the cell has it."""
        ends = task.kind, task.b, task.a, bool(task.parts)
        tasks = self.session.all_tasks
        back = [t for t in tasks if (t.kind, t.a, t.b, bool(t.parts)) == ends]
        return [i for t in back for i in self._items(t) if i["status"] == "ok"]

    # ------------------------------------------------------------------ by cell

    def _cell_rows(self, entry: Entry, metric: Any, outcome: Mapping[str, Any]) -> list[Row]:
        def measured() -> list[Row]:
            values = metric.measure(outcome)
            return [_row(m, None, "", values.get(m.name), "") for m in entry.info.measures]

        rows, reason = measure.ask(measured)
        return _all(entry, None, "", "failed", reason) if rows is None else rows


def score_file(choice: Mapping[str, Any]) -> str:
    """The score file of a metric with its options, version and weights."""
    entry = registry().find("metric", choice["name"])
    parts = [choice["name"], choice["values"], entry.info.version, choice["inputs"]]
    return f"{entry.name}-{files.digest(parts)}.json"


def _of_halves(task: Task, first: Sequence[Row], second: Sequence[Row]) -> list[Row]:
    """The rows of both halves of a pair, named by their instruments, and their means."""
    named = [
        row | {"metric": f"{row['metric']}[{instrument}]"}
        for rows, instrument in ((first, task.a), (second, task.b))
        for row in rows
    ]
    return named + [_mean_of_halves(a, b) for a, b in zip(first, second, strict=True)]


def _mean_of_halves(a: Row, b: Row) -> Row:
    if lacking := next((row for row in (a, b) if row["status"] != "ok"), None):
        return lacking
    details = {
        "items": a["details"]["items"],
        "grey": bool(a["details"].get("grey") or b["details"].get("grey")),
    }
    n = min((row["n"] for row in (a, b) if row["n"] is not None), default=None)
    value = (a["value"] + b["value"]) / 2
    told = f"{a['reference']}; {b['reference']}"
    return a | {"value": value, "n": n, "reference": told, "details": details}


def _of_form(row: Row) -> Row:
    """A row as its file has it; failed where a plugin gave details that no report could read."""
    plain = json.loads(json.dumps(row))
    if (place := misfit([plain], forms.SCORES)) is None:
        return plain
    reason = f"the metric gave what no report can read: {place.partition('.')[2]}"
    return row | {"value": None, "n": None, "status": "failed", "reason": reason, "details": {}}


def _tracks(items: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted(i["track"] for i in items)


def _clip(path: Path, rate: int, instrument: str, track: str) -> Clip:
    from timbrebench.core import audio

    alive()
    return Clip(np.asarray(audio.load(path, rate)), rate, instrument, track)


def _row(measure: Any, task: Task | None, item: str, value: Any, reference: str) -> Row:
    row = {
        "metric": measure.name,
        "task": task.name if task else "",
        "item": item,
        "value": None if value is None else float(value),
        "unit": measure.unit,
        "higher_is_better": measure.higher_is_better,
        "n": None,
        "status": "ok",
        "reason": "",
        "reference": reference,
        "details": {},
    }
    if value is None:
        return row | {"status": "not_applicable", "reason": "there is nothing to measure"}
    if not np.isfinite(value):
        return row | {"value": None, "status": "failed", "reason": f"the metric gave {value}"}
    return row


def _all(
    entry: Entry, task: Task | None, item: str, status: str, reason: str, reference: str = ""
) -> list[Row]:
    """A row without a value for each of a metric's measures."""
    said = {"status": status, "reason": reason}
    return [_row(m, task, item, None, reference) | said for m in entry.info.measures]


def _mean(entry: Entry, task: Task, measure: Any, rows: Sequence[Row]) -> Row:
    """The mean over the items that could be measured; it says how many."""
    own = [r for r in rows if r["metric"] == measure.name]
    good = [r for r in own if r["status"] == "ok"]
    if not good:
        first = next(iter(own), {"status": "failed", "reason": "no estimate was made"})
        said = {"status": first["status"], "reason": first["reason"], "n": 0}
        return _row(measure, task, "", None, "") | said
    value = float(np.mean([r["value"] for r in good]))
    missed = [r["item"] for r in own if r["status"] != "ok"]
    row = _row(measure, task, "", value, good[0]["reference"])
    return row | {"n": len(good), "details": {"not_measured": missed} if missed else {}}
