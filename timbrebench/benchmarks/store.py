"""The run folder: where everything is, how it is written, and how it is read again.

run.json            the last configuration, environment, and the cells that the folder shows
.verified.json      which models were found whole
.outdated           there while cells may have changed that scores and comparisons know nothing of
models/KEY/         stage.json, model.safetensors, curve.jsonl, log.txt (checkpoint.pt while
                    it trains)
cells/KEY/          cell.json, result.json, log.txt, estimates.json, estimates/TASK/TRACK.flac,
                    scores/METRIC-KEY.json
references/KEY/     the test stems that estimates are made from and compared with, as scored
comparisons.json    the declared comparisons of systems, and which scores they are made from
scores.csv, scores.jsonl   every row of every cell shown
"""

import contextlib
import errno
import fcntl
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from timbrebench.core import files
from timbrebench.core.errors import BenchError
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

SCHEMA = 1
MAKE_ROOM = "Free some, then give the same command: what is done is kept."
_CELL_FIELDS = ("label", "method", "dataset", "tasks", "seed", "references")
_ITEM_FIELDS = {"task", "track", "source", "target", "file"}
_VERIFIED = ".verified.json"
_UNWRITABLE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG),
)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Store:
    """Paths of a run folder."""

    root: Path

    def model(self, key: str) -> Path:
        return self.root / "models" / key

    def cell(self, key: str) -> Path:
        return self.root / "cells" / key

    def reference(self, fingerprint: str, instrument: str, track: str) -> Path:
        return (
            self.root
            / "references"
            / fingerprint
            / file_name(instrument)
            / (f"{file_name(track)}.flac")
        )

    @property
    def comparisons(self) -> Path:
        return self.root / "comparisons.json"

    @property
    def outdated(self) -> Path:
        """There while cells may have changed that the folder's scores do not know of."""
        return self.root / ".outdated"

    @property
    def run_file(self) -> Path:
        return self.root / "run.json"

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Makes the folder and holds it for one writer. A second writer, a folder that cannot be
        written and a disk that is or gets full are errors in words; another file's errors pass."""
        try:
            with self._held():
                yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            told = f"cannot write to {error.filename or self.root}: {error.strerror}."
            raise BenchError(told, hint=MAKE_ROOM) from error

    def _held(self) -> IO[str]:
        """The lock of the folder, which is made; closed it is free."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / ".lock").open("w")
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            told = f"cannot write to {self.root}: {error.strerror}."
            raise BenchError(told, hint="Name another: --out DIR") from error
        self._hold(lock)
        return lock

    def remove_parts(self) -> None:
        """What a killed run left half written beside its models and cells. For who holds the
        folder."""
        for path in self.root.glob(".part-*"):
            path.unlink(missing_ok=True)
        for name in ("references", "jobs"):
            files.remove_parts(self.root / name)

    def _hold(self, lock: IO[str]) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchError(
                f"another bench run is writing to {self.root}.",
                hint="Wait for it, or use --out DIR.",
            ) from None

    def read_run(self) -> dict[str, Any]:
        """run.json; an error in words where this is no run folder."""
        if not self.run_file.is_file():
            raise BenchError(
                f"{self.root} is no run folder (it has no run.json).",
                hint="Make one: bench run --out DIR",
            )
        run = read_or_none(self.run_file)
        if not isinstance(run, dict) or run.get("schema") != SCHEMA:
            raise BenchError(
                f"{self.run_file} is damaged, or of another version of timbrebench.",
                hint="Run again into a new folder: bench run --out DIR",
            )
        return run


def file_name(name: str) -> str:
    """A name as a file's: readable, and distinct for distinct names."""
    safe = re.sub(r"[^\w+.-]", "_", name).lstrip(".-") or "_"
    short = safe.encode()[:80].decode(errors="ignore")  # file systems count bytes
    return name if name == safe == short else f"{short}-{files.digest(name, 4)}"


def imported(store: Store) -> set[str]:
    """Keys of cells that came from another machine: what they cost is known, and no run of this
    folder made an estimate with them."""
    found = {path.parent for path in store.root.glob("cells/*/outcome.json")}
    return {folder.name for folder in found if not (folder / "estimates.json").exists()}


def read_or_none(path: Path) -> Any:
    """A JSON file's value; None where there is none or it is damaged."""
    try:
        return files.read_json(path)
    except (OSError, ValueError):
        return None


def stage_done(store: Store, key: str) -> bool:
    """Whether a stage's model is there and whole."""
    record, _ = _record(store.model(key) / "stage.json", "sha256")
    weights = store.model(key) / "model.safetensors"
    return bool(record) and weights.is_file() and files.sha256_of(weights) == record["sha256"]


def _tidy(folder: Path) -> None:
    """Removes what a kill left beside a model that was done."""
    files.remove_parts(folder)
    for path in folder.glob("checkpoint*"):
        path.unlink(missing_ok=True)


@dataclass
class VerifiedModels:
    """Which models were found whole, so that weights that have not been touched since are not
    read again: model → [size, time of the last change]. Who loads them hashes them anyway."""

    known: dict[str, list[int]]

    @classmethod
    def of(cls, store: Store) -> "VerifiedModels":
        return cls(read_or_none(store.root / _VERIFIED) or {})

    def done(self, store: Store, key: str) -> bool:
        """:func:`whole`; what a kill left beside one that is found so is removed."""
        before = self.known.get(key)
        found = self.whole(store, key)
        if found and self.known[key] != before:
            _tidy(store.model(key))
        return found

    def whole(self, store: Store, key: str) -> bool:
        """:func:`stage_done`, from memory where it can be. Changes nothing in the folder."""
        try:
            state = (store.model(key) / "model.safetensors").stat()
        except OSError:
            return False
        seen = [state.st_size, state.st_mtime_ns]
        if self.known.get(key) == seen and (store.model(key) / "stage.json").is_file():
            return True
        if not stage_done(store, key):
            return False
        self.known[key] = seen
        return True

    def keep(self, store: Store) -> None:
        """For the next run."""
        path = store.root / _VERIFIED
        if self.known and read_or_none(path) != self.known:
            files.write_json(path, self.known)


# ------------------------------------------------------------------ rows


def cell_rows(store: Store, run_name: str, key: str) -> Iterator[dict[str, Any]]:
    """The tidy rows of a cell, for the scores that its last result names."""
    cell = read_or_none(store.cell(key) / "cell.json") or {}
    result = read_or_none(store.cell(key) / "result.json") or {}
    common = {
        "run": run_name,
        "cell": key,
        "method": cell.get("label"),
        "dataset": cell.get("dataset"),
        "seed": cell.get("seed"),
    }
    for name in result.get("scores", []):
        for row in read_or_none(store.cell(key) / "scores" / name) or []:
            yield {field: (common | row).get(field) for field in ROW_FIELDS}


def write_scores(store: Store, rows: Iterable[Mapping[str, Any]]) -> None:
    """scores.jsonl and scores.csv of the folder."""
    rows = list(rows)
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    files.write_text(store.root / "scores.jsonl", "".join(f"{line}\n" for line in lines))
    files.write_text(store.root / "scores.csv", to_csv(rows))


# ------------------------------------------------------------------ reading for reports


def read_run(root: Path) -> RunRecord:
    """A run folder as reports see it."""
    store = Store(root)
    run = store.read_run()
    keys = list(dict.fromkeys(run["cells"].values()))
    cells = [_read_cell(store, key) for key in keys]
    stages = {s: _read_stage(store, s) for cell in cells for s in cell.stages}
    rows = [row for key in keys for row in cell_rows(store, root.name, key)]
    corpora = run.get("corpora", {})
    return RunRecord(
        root,
        run["config"],
        run["environment"],
        cells,
        stages,
        rows,
        corpora if len(corpora) > 1 else run.get("corpus", {}),
        _read_suite(run.get("suite")),
        (read_or_none(store.comparisons) or {}).get("rows", []),
    )


def _read_suite(data: Mapping[str, Any] | None) -> "SuiteRecord | None":
    """The suite of which it is a run; None also where another version wrote it otherwise."""
    from timbrebench.core.layouts import SuiteRecord, layout_from_json  # few runs have one

    if not data:
        return None
    try:
        layout = layout_from_json(data["layout"])
        return SuiteRecord(data["name"], data["scale"], layout, data["parts"])
    except (KeyError, TypeError, ValueError):
        return None


def _read_cell(store: Store, key: str) -> CellRecord:
    folder = store.cell(key)
    cell, unknown = _record(folder / "cell.json", *_CELL_FIELDS)
    result, lost = _record(folder / "result.json", "status")
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
        reason=result.get("reason", "") or unknown or lost,
        log_tail=result.get("log_tail", ""),
        options=cell.get("options", {}),
        budget=cell.get("budget", {}),
        augment=cell.get("augment", ""),
        stages=cell.get("stages", []),
        outcome=result.get("outcome", {}),
        items=_read_items(store, cell, folder),
    )


def _record(path: Path, *needed: str) -> tuple[dict[str, Any], str]:
    """What a file of ours holds, {} where it lacks what is needed, and words on that."""
    value = read_or_none(path)
    if isinstance(value, dict) and value.keys() >= set(needed):
        return value, ""
    other = f"{path.name} is damaged, or of another version of timbrebench: repeat the run"
    return {}, other if path.exists() else ""


def _read_items(store: Store, cell: Mapping[str, Any], folder: Path) -> list[ItemRecord]:
    estimates, _ = _record(folder / "estimates.json", "items")
    items = []
    for item in estimates.get("items", []):
        if item.get("status") != "ok" or not item.keys() >= _ITEM_FIELDS or not cell:
            continue
        source, reference = (
            store.reference(cell["references"], item[side], item["track"]) if item[side] else None
            for side in ("source", "target")
        )
        other = folder / item["other_file"] if item.get("other_file") else None
        estimate = folder / item["file"]
        items.append(ItemRecord(item["task"], item["track"], estimate, source, reference, other))
    return items


def _read_stage(store: Store, key: str) -> StageRecord:
    folder = store.model(key)
    record, _ = _record(folder / "stage.json", "name", "steps", "seconds", "parameters")
    if not record:
        return StageRecord(key, key, "unfinished", 0, None, None, {})
    curve = (folder / "curve.jsonl").read_text() if (folder / "curve.jsonl").exists() else ""
    return StageRecord(
        key=key,
        name=record["name"],
        status="ok",
        steps=record["steps"],
        seconds=record["seconds"],
        flops=record.get("flops"),
        parameters=record["parameters"],
        curve=[json.loads(line) for line in curve.splitlines()],
        memory=record.get("memory", {}),
        batch_size=record.get("recipe", {}).get("batch_size", 0),
    )
