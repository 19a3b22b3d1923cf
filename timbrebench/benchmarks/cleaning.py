"""What of a run folder nothing needs any more."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from timbrebench.benchmarks.store import Store, imported, read_or_none


@dataclass(frozen=True)
class Part:
    """A file or folder that may go."""

    path: Path
    why: str
    size: int  # bytes


def removable(root: Path, *, with_imported: bool = False) -> list[Part]:
    """Replaced cells, models that no shown cell uses, half-written files. Cells that were imported
    are shown nowhere and stay, with their models, unless they are asked for."""
    store = Store(root)
    shown = set(store.read_run()["cells"].values())
    brought = imported(store) - shown
    kept = shown if with_imported else shown | brought
    cells = [read_or_none(store.cell(cell) / "cell.json") or {} for cell in kept]
    used = {key for cell in cells for key in cell.get("stages", [])}
    references = {cell.get("references", "") for cell in cells}
    parts = [
        *_others(root / "cells", shown | brought, "replaced by a newer cell"),
        *(Part(p, "imported", _size(p)) for p in map(store.cell, sorted(brought - kept))),
        *_others(root / "models", used, "used by no cell that is shown"),
        *_others(root / "references", references, "used by no cell that is shown"),
    ]
    gone = {p.path for p in parts}
    for path in sorted(root.rglob(".part-*")):
        if not gone & set(path.parents):
            parts.append(Part(path, "half written", _size(path)))
    return parts


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
