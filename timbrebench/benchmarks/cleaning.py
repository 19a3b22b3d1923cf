"""What of a run folder nothing needs any more."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from timbrebench.benchmarks.forms import Fields, read
from timbrebench.benchmarks.store import Store, imported

_USES = Fields({"stages": [str]}, {"references": str})  # of cell.json


@dataclass(frozen=True)
class Part:
    """A file or folder that may go."""

    path: Path
    why: str
    size: int  # bytes


def removable(root: Path, *, with_imported: bool = False) -> list[Part]:
    """Replaced cells, models that no shown cell uses, half-written files. Cells that were imported
    are shown nowhere and stay, with their models, unless they are asked for. Where it cannot be
    read what a kept cell uses, all models and references stay."""
    store = Store(root)
    shown, brought = _cells(store)
    kept = shown if with_imported else shown | brought
    parts = [
        *_others(root / "cells", shown | brought, "replaced by a newer cell"),
        *(Part(p, "imported", _size(p)) for p in map(store.cell, sorted(brought - kept))),
    ]
    if not unreadable(root, with_imported=with_imported):
        cells = [read(store.cell(cell) / "cell.json", _USES) or {} for cell in kept]
        used = {key for cell in cells for key in cell.get("stages", [])}
        references = {cell.get("references", "") for cell in cells}
        why = "used by no cell that is shown"
        parts += _others(root / "models", used, why)
        parts += _others(root / "references", references, why)
    gone = {p.path for p in parts}
    for path in sorted(root.rglob(".part-*")):
        if not gone & set(path.parents):
            parts.append(Part(path, "half written", _size(path)))
    return parts


def unreadable(root: Path, *, with_imported: bool = False) -> list[Path]:
    """Records of kept cells that are damaged or gone: what these use is not known. A cell without
    a folder has not begun, and uses nothing."""
    store = Store(root)
    shown, brought = _cells(store)
    folders = map(store.cell, sorted(shown if with_imported else shown | brought))
    records = [folder / "cell.json" for folder in folders if folder.is_dir()]
    return [path for path in records if read(path, _USES) is None]


def _cells(store: Store) -> tuple[set[str], set[str]]:
    """Keys of the cells that are shown, and of those that were imported and are not."""
    shown = set(store.read_run()["cells"].values())
    return shown, imported(store) - shown


def remove(root: Path, *, with_imported: bool = False) -> list[Part]:
    """Removes all of it, unless a run is writing to the folder; returns what went."""
    store = Store(root)
    store.read_run()
    with store.writing():
        parts = removable(root, with_imported=with_imported)
        for part in parts:
            shutil.rmtree(part.path) if part.path.is_dir() else part.path.unlink()
    return parts


def _others(folder: Path, kept: set[str], why: str) -> Iterator[Part]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name not in kept:
            yield Part(path, why, _size(path))


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
