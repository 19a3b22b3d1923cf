"""A trained cell as one file, to be used on another machine: safetensors, and JSON in its header.

Nothing in such a file can be run. What comes from outside is checked before it is written.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timbrebench.benchmarks.store import Store, read_or_none, stage_done
from timbrebench.benchmarks.using import CELL_FIELDS, FinishedCell
from timbrebench.core import files
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.registry import registry

SCHEMA = "1"
SUFFIX = ".safetensors"
_KEY = re.compile(r"[0-9a-f]{16}")
_FIELDS: dict[str, type] = {
    "key": str,
    "cell": dict,
    "stages": dict,
    "outcome": dict,
    "contents": str,
}


def export_cell(cell: FinishedCell, path: Path) -> None:
    """Writes the cell's networks, options and what was chosen for it. BenchError where it has no
    networks."""
    from safetensors.torch import load_file, save_file

    keys = list(cell.record.get("stages", []))
    if not keys:
        raise BenchError(f"{cell.label} trains nothing: there is nothing to export.")
    tensors: dict[str, Any] = {}
    for key in keys:
        weights = load_file(cell.store.model(key) / "model.safetensors")
        tensors |= {f"{key}/{name}": value for name, value in weights.items()}
    record = dict(cell.record)
    record["dataset_choice"] = {**record["dataset_choice"], "root": ""}  # a path of this machine
    known = {
        "key": cell.key,
        "cell": record,
        "outcome": read_or_none(cell.store.cell(cell.key) / "outcome.json") or {},
        "stages": {key: files.read_json(cell.store.model(key) / "stage.json") for key in keys},
        "contents": _contents(tensors),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic_path(path) as temporary:
        save_file(tensors, temporary, {"schema": SCHEMA, "timbrebench": json.dumps(known)})


def import_file(path: Path, root: Path) -> Path:
    """Puts an exported cell into a folder, and returns RUN/cells/KEY. BenchError where the file
    is none of ours or damaged, or the method is not installed."""
    known, tensors = _read(path)
    cell, keys = known["cell"], known["cell"]["stages"]
    try:
        registry().find("method", cell["method"])
    except UnknownName as error:
        raise BenchError(
            f"{path} is a cell of '{cell['method']}', which is not installed here.",
            hint="Install its package; see: bench list methods",
        ) from error
    store = Store(root)
    with store.writing():
        for key in keys:
            if not stage_done(store, key):
                _write_stage(store.model(key), known["stages"][key], _of_stage(tensors, key))
        folder = store.cell(known["key"])
        if not (folder / "cell.json").exists():
            files.write_json(folder / "outcome.json", known["outcome"])
            files.write_json(folder / "cell.json", cell)
    return folder


def _of_stage(tensors: Mapping[str, Any], key: str) -> dict[str, Any]:
    prefix = f"{key}/"
    return {n.removeprefix(prefix): value for n, value in tensors.items() if n.startswith(prefix)}


def _write_stage(folder: Path, record: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    """stage.json last: with it a stage is done."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "model.safetensors"
    with files.atomic_path(weights) as temporary:
        save_file(dict(tensors), temporary)
    files.write_json(folder / "stage.json", {**record, "sha256": files.sha256_of(weights)})


# ---------------------------------------------------------------------------- reading


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what stands in its header, its tensors), checked."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise BenchError(f"there is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise BenchError(f"{path} is no safetensors file, or is cut short: {error}.") from None
    if header.get("schema") != SCHEMA:
        raise BenchError(f"{path} holds no cell of timbrebench.", hint="See: bench export --help")
    try:
        known = json.loads(header.get("timbrebench", ""))
    except ValueError:
        known = None
    wrong = _wrong(known) if isinstance(known, dict) else "its header is no JSON"
    if wrong:
        raise BenchError(f"{path} is not as bench export writes it: {wrong}.")
    if _contents(tensors) != known["contents"]:
        raise BenchError(f"{path} is damaged: its tensors are not those that were exported.")
    known["cell"]["dataset_choice"]["root"] = ""  # whatever it says: no path from outside
    return known, tensors


def _wrong(known: Mapping[str, Any]) -> str:
    """What is wrong with a header; '' if nothing is. Keys become names of folders."""
    for name, kind in _FIELDS.items():
        if not isinstance(known.get(name), kind):
            return f"it has no {name}"
    cell = known["cell"]
    for name, kind in CELL_FIELDS.items():
        if not isinstance(cell.get(name), kind):
            return f"its cell has no {name}"
    for key in (known["key"], *cell["stages"]):
        if not (isinstance(key, str) and _KEY.fullmatch(key)):
            return f"'{key}' is no key"
    if set(cell["stages"]) != set(known["stages"]):
        return "its stages are not those of its cell"
    for stage in known["stages"].values():
        if not (isinstance(stage, dict) and {"name", "config", "state"} <= stage.keys()):
            return "a stage has no name, config or state"
    return ""


def _contents(tensors: Mapping[str, Any]) -> str:
    """Hash of names, shapes, types and numbers."""
    import torch

    found = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        found.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        found.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
