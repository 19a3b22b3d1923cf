"""A run folder as it is read again: tidy rows, and records for reports. What cannot be read counts
as not there, and is told."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrebench.benchmarks import forms
from timbrebench.benchmarks.forms import Form, fits, read
from timbrebench.benchmarks.store import Store
from timbrebench.core import files
from timbrebench.core.results import (
    ROW_FIELDS,
    CellRecord,
    ItemRecord,
    RunRecord,
    StageRecord,
    to_csv,
)

if TYPE_CHECKING:
    from timbrebench.core.layouts import SuiteRecord

_OTHER = "is damaged, or of another version of timbrebench"
_ITEM_FIELDS = {"task", "track", "source", "target", "file"}


# ------------------------------------------------------------------ rows


def cell_rows(store: Store, run_name: str, key: str) -> Iterator[dict[str, Any]]:
    """The tidy rows of a cell, for the scores that its last result names."""
    folder = store.cell(key)
    cell = read(folder / "cell.json", forms.CELL) or {}
    result = read(folder / "result.json", forms.RESULT) or {}
    common = {
        "run": run_name,
        "cell": key,
        "method": cell.get("label"),
        "dataset": cell.get("dataset"),
        "seed": cell.get("seed"),
    }
    for name in result.get("scores", []):
        path = folder / "scores" / name
        rows = read(path, forms.SCORES)
        for row in _without(path, cell) if rows is None else rows:
            yield {field: (row | common).get(field) for field in ROW_FIELDS}


def _without(path: Path, cell: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A metric whose scores cannot be read has failed, on each task."""
    state = "damaged" if path.exists() else "not there"
    said = {"status": "failed", "reason": f"its scores are {state}: repeat the run", "value": None}
    named = {"metric": path.stem.rpartition("-")[0] or path.stem, "item": "", "details": {}}
    for task in cell.get("tasks", [""]):
        yield {**named, **said, "task": task, "unit": "", "reference": ""}


def write_scores(store: Store, rows: Iterable[Mapping[str, Any]]) -> None:
    """scores.jsonl and scores.csv of the folder."""
    rows = list(rows)
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    files.write_text(store.root / "scores.jsonl", "".join(f"{line}\n" for line in lines))
    files.write_text(store.root / "scores.csv", to_csv(rows))


# ------------------------------------------------------------------ a run


def read_run(root: Path) -> RunRecord:
    """A run folder as reports see it."""
    return _Reader(Store(root)).run()


def read_ended(root: Path, keys: Iterable[str]) -> list[CellRecord]:
    """Those cells as they ended, without their items, in the order of the table."""
    store, wanted = Store(root), set(keys)
    shown = [key for key in _keys(store.read_run()) if key in wanted]
    reader = _Reader(store)
    return [reader.cell(key) for key in shown]


def _keys(run: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(run["cells"].values()))


class _Reader:
    """Reads one run folder; ``told`` is what of it could not be read."""

    def __init__(self, store: Store) -> None:
        self.store, self.told = store, list[str]()
        self.references: dict[str, str] = {}  # of the cells that were read

    def run(self) -> RunRecord:
        store, run = self.store, self.store.read_run()
        keys = _keys(run)
        cells = [dataclasses.replace(self.cell(key), items=self._items(key)) for key in keys]
        stages = {s: self._stage(s) for cell in cells for s in cell.stages}
        rows = [row for key in keys for row in cell_rows(store, store.root.name, key)]
        corpora = run.get("corpora", {})
        return RunRecord(
            store.root,
            run["config"],
            run["environment"],
            cells,
            stages,
            rows,
            corpora if len(corpora) > 1 else run.get("corpus", {}),
            self._suite(run.get("suite")),
            self._read(store.comparisons, forms.COMPARISONS).get("rows", []),
            tuple(self.told),
        )

    def _read(self, path: Path, form: Form) -> dict[str, Any]:
        """What a file holds; {}, and told, where it is there and not of its form."""
        value = read(path, form)
        if value is not None:
            return value
        if path.exists():
            self.told.append(f"{path.relative_to(self.store.root)} {_OTHER}: repeat the run")
        return {}

    def _suite(self, data: Mapping[str, Any] | None) -> "SuiteRecord | None":
        """The suite of which it is a run; None also where another version wrote it otherwise."""
        from timbrebench.core.layouts import SuiteRecord, layout_from_json  # few runs have one

        if not data:
            return None
        try:
            layout = layout_from_json(data["layout"])
            return SuiteRecord(data["name"], data["scale"], layout, data["parts"])
        except (AttributeError, KeyError, TypeError, ValueError):
            self.told.append(f"the suite in run.json {_OTHER}: repeat the run")
            return None

    def cell(self, key: str) -> CellRecord:
        """Without its items."""
        folder, before = self.store.cell(key), len(self.told)
        cell = self._read(folder / "cell.json", forms.CELL)
        result = self._read(folder / "result.json", forms.RESULT)
        if cell:
            self.references[key] = cell["references"]
        return CellRecord(
            key=key,
            label=cell.get("label", key),
            method=cell.get("method", ""),
            control=bool(cell.get("control")),
            supervision=cell.get("supervision", ""),
            dataset=cell.get("dataset", ""),
            tasks=cell.get("tasks", []),
            seed=cell.get("seed", 0),
            status=result.get("status", "pending"),
            phase=result.get("phase", ""),
            reason=result.get("reason", "") or "; ".join(self.told[before:]),
            log_tail=result.get("log_tail", ""),
            options=cell.get("options", {}),
            budget=cell.get("budget", {}),
            augment=cell.get("augment", ""),
            stages=cell.get("stages", []),
            outcome=result.get("outcome", {}),
        )

    def _items(self, key: str) -> list[ItemRecord]:
        """Of a cell that was read."""
        store, folder = self.store, self.store.cell(key)
        made = self._read(folder / "estimates.json", forms.ESTIMATES).get("items", [])
        whole = [i for i in made if i["status"] == "ok" and i.keys() >= _ITEM_FIELDS]
        references = self.references.get(key)
        return [_item(store, references, folder, item) for item in whole] if references else []

    def _stage(self, key: str) -> StageRecord:
        folder = self.store.model(key)
        record = self._read(folder / "stage.json", forms.STAGE)
        if not record:
            return StageRecord(key, key, "unfinished", 0, None, None, {})
        return StageRecord(
            key=key,
            name=record["name"],
            status="ok",
            steps=record["steps"],
            seconds=record["seconds"],
            flops=record.get("flops"),
            parameters=record["parameters"],
            curve=self._curve(folder / "curve.jsonl"),
            memory=record.get("memory", {}),
            batch_size=record.get("recipe", {}).get("batch_size", 0),
        )

    def _curve(self, path: Path) -> list[dict[str, Any]]:
        if not path.exists():
            return []
        try:
            points = [json.loads(line) for line in path.read_text().splitlines() if line]
        except (OSError, ValueError, RecursionError):
            points = [None]
        if fits(points, [forms.POINT]):
            return points
        where = path.relative_to(self.store.root)
        self.told.append(
            f"{where} {_OTHER}: it is not drawn (remove {where.parent} and repeat the run to train "
            "that again)"
        )
        return []


def _item(store: Store, references: str, folder: Path, item: Mapping[str, Any]) -> ItemRecord:
    source, reference = (
        store.reference(references, item[side], item["track"]) if item[side] else None
        for side in ("source", "target")
    )
    other = folder / item["other_file"] if item.get("other_file") else None
    estimate = folder / item["file"]
    return ItemRecord(item["task"], item["track"], estimate, source, reference, other)
