"""Whether a cell is finished: scored as asked, with all its files as they were when it was. Sizes
and times tell; only what was touched since is opened."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from timbrebench.benchmarks import forms
from timbrebench.benchmarks.forms import read
from timbrebench.benchmarks.store import Store

_FORMS = {"estimates.json": forms.ESTIMATES, "outcome.json": forms.OUTCOME}


def scored(store: Store, key: str, asked: Sequence[str]) -> dict[str, Any] | None:
    """The result of a cell that is done with just these metrics."""
    result = result_of(store, key)
    done = result.get("status") == "ok" and result.get("metrics") == asked
    return result if done and not damaged(store, key, result) else None


def result_of(store: Store, key: str) -> dict[str, Any]:
    """{} where there is none, or it is of another version."""
    return read(store.cell(key) / "result.json", forms.RESULT) or {}


def sizes(
    store: Store,
    key: str,
    references: str,
    items: Iterable[Mapping[str, Any]],
    scores: Iterable[str],
) -> dict[str, int]:
    """The files of a scored cell, by their paths from its folder: bytes of each."""
    folder = store.cell(key)
    made = [i for i in items if i["status"] == "ok"]
    heard = {(i[side], i["track"]) for i in made for side in ("source", "target") if i[side]}
    of_scores = [Path("scores", name) for name in scores]
    names = [
        *("estimates.json", "outcome.json"),
        *(name for i in made for name in (i["file"], i.get("other_file")) if name),
        *(os.path.relpath(store.reference(references, *stem), folder) for stem in heard),
        *(str(path) for own in of_scores for path in (own, own.with_suffix(".npz"))),
    ]
    return {name: (folder / name).stat().st_size for name in names if (folder / name).is_file()}


def damaged(store: Store, key: str, result: Mapping[str, Any]) -> list[str]:
    """Files of a scored cell that are not as it left them, by their paths from its folder. Of a
    result that says nothing of sizes (an older one): what is not there."""
    folder = str(store.cell(key))
    known = result.get("files")
    if known is None:
        names = ["estimates.json", *(f"scores/{name}" for name in result.get("scores", []))]
        return [name for name in names if not Path(folder, name).is_file()]
    since = _state(f"{folder}/result.json")
    return [name for name, size in known.items() if not _is_whole(folder, name, size, since)]


def _is_whole(folder: str, name: str, size: int, since: os.stat_result | None) -> bool:
    """Of the same size; and, where it was written after the result, of its form."""
    path = f"{folder}/{name}"
    state = _state(path)
    if state is None or state.st_size != size:
        return False
    touched = since is None or state.st_mtime_ns > since.st_mtime_ns
    if not touched or not name.endswith(".json"):
        return True
    return read(Path(path), _FORMS.get(name, forms.SCORES)) is not None


def _state(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 (thousands of cells: a Path costs more than the call)
    except (OSError, ValueError):
        return None


def remove_damaged(store: Store, key: str) -> bool:
    """Takes away what is damaged of a scored cell, so that it is made again, scores with their
    evidence; whether estimates, or what they are compared with, must be."""
    folder, root = store.cell(key), store.root.resolve()
    lost = damaged(store, key, result_of(store, key))
    for name in lost:
        path = (folder / name).resolve()
        if path.is_relative_to(root):  # a result may say anything
            for each in (path, path.with_suffix(".json"), path.with_suffix(".npz")):
                if each == path or path.parent.name == "scores":
                    each.unlink(missing_ok=True)
    return any(not name.startswith("scores/") for name in lost)
