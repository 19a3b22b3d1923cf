"""What set distances were made from, kept beside their scores: so that two systems can be compared
track by track when both are there."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from timbrebench.core import files
from timbrebench.core.interfaces import Evidence

_SIDES = ("clip", "reference")


def write_evidence(path: Path, by_task: Mapping[str, Evidence]) -> None:
    arrays = {
        "\n".join((task, side, name)): array
        for task, of in by_task.items()
        for side, named in zip(_SIDES, (of.clips, of.references), strict=True)
        for name, array in named.items()
    }
    with files.atomic_path(path) as new, new.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def read_evidence(path: Path, task: str) -> Evidence | None:
    """None where there is none of that task, or it is damaged."""
    found: dict[str, dict[str, np.ndarray]] = {side: {} for side in _SIDES}
    try:
        with np.load(path, allow_pickle=False) as known:
            for key in known.files:
                of, side, name = key.split("\n", 2)
                if of == task:
                    found[side][name] = known[key]
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    return Evidence(found["clip"], found["reference"]) if found["clip"] else None
