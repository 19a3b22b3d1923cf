"""A corpus as JSON, to hand an index from one process to another."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timbrebench.core.records import Corpus, Task, Track


def to_json(corpus: Corpus) -> dict[str, Any]:
    return {
        "name": corpus.name,
        "fingerprint": corpus.fingerprint,
        "rate": corpus.rate,
        "notes": dict(corpus.notes),
        "groups": {g: [task_to(t) for t in tasks] for g, tasks in corpus.groups.items()},
        "tracks": [
            {
                "id": t.id,
                "stems": {i: str(p) for i, p in t.stems.items()},
                "split": t.split,
                "seconds": t.seconds,
                "score": str(t.score) if t.score else None,
                "parts": dict(t.parts),
                "unit": t.unit,
                "shift": t.shift,
                "gain_db": t.gain_db,
            }
            for t in corpus.tracks
        ],
    }


def from_json(data: Mapping[str, Any]) -> Corpus:
    tracks = tuple(
        Track(
            t["id"],
            {i: Path(p) for i, p in t["stems"].items()},
            t["split"],
            t["seconds"],
            Path(t["score"]) if t["score"] else None,
            t["parts"],
            t["unit"],
            t["shift"],
            t["gain_db"],
        )
        for t in data["tracks"]
    )
    groups = {g: tuple(task_from(t) for t in tasks) for g, tasks in data["groups"].items()}
    return Corpus(
        data["name"], tracks, groups, data["fingerprint"], data["rate"], dict(data["notes"])
    )


def task_to(task: Task) -> list[Any]:
    return [task.kind, task.a, task.b, [task_to(p) for p in task.parts]]


def task_from(data: list[Any]) -> Task:
    """The task of :func:`task_to`'s form."""
    kind, a, b, parts = data
    return Task(kind, a, b, tuple(task_from(p) for p in parts))
