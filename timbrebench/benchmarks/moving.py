"""A trained cell as one file, to be used on another machine: safetensors, and JSON in its header.

Nothing in such a file can be run. What comes from outside is checked before it is written.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timbrebench.benchmarks import forms
from timbrebench.benchmarks.brought import SCHEMA, contents_of, read_export
from timbrebench.benchmarks.store import Store, stage_done
from timbrebench.benchmarks.using import FinishedCell
from timbrebench.core import files
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.registry import registry

SUFFIX = ".safetensors"


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
        "outcome": forms.read(cell.store.cell(cell.key) / "outcome.json", forms.OUTCOME) or {},
        "stages": {key: files.read_json(cell.store.model(key) / "stage.json") for key in keys},
        "contents": contents_of(tensors),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic_path(path) as temporary:
        save_file(tensors, temporary, {"schema": SCHEMA, "timbrebench": json.dumps(known)})


def import_file(path: Path, root: Path) -> Path:
    """Puts an exported cell into a folder, and returns RUN/cells/KEY. BenchError where the file
    is none of ours or damaged, its method is not installed, or has other networks here."""
    known, tensors = read_export(path)
    cell, keys = known["cell"], known["cell"]["stages"]
    weights = {key: _of_stage(tensors, key) for key in keys}
    try:
        registry().find("method", cell["method"])
    except UnknownName as error:
        raise BenchError(
            f"{path} is a cell of '{cell['method']}', which is not installed here.",
            hint="Install its package; see: bench list methods",
        ) from error
    store = Store(root)
    FinishedCell(store, known["key"], cell).check(known["stages"], weights)
    with store.writing():
        for key in keys:
            if not stage_done(store, key):
                _write_stage(store.model(key), known["stages"][key], weights[key])
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
