"""Times of a cell taken again, alone: what ran beside other jobs took longer, by an unknown factor.

When all else of a run has ended, each cell whose times were taken beside others' is timed with
nothing of the run beside it: some steps of each of its models (``calibrating``), then some of its
items. What it made stays as it is. The half that plans is light.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrebench.benchmarks.choices import Choice
from timbrebench.benchmarks.outcomes import TIMES, speeds, sums_of
from timbrebench.benchmarks.store import Store, read_or_none
from timbrebench.core import files
from timbrebench.core.errors import BenchError
from timbrebench.core.registry import registry

if TYPE_CHECKING:
    from timbrebench.benchmarks.estimate import Estimator, Work
    from timbrebench.benchmarks.session import Session

LEAST_SECONDS = 5.0  # of inference that is timed, where there is as much

Report = Callable[[Mapping[str, Any]], None]


def ask_cost(metrics: Iterable[Choice]) -> bool:
    """Whether any of them measures what a cell cost."""
    return any(registry().find("metric", m.name).info.kind == "cell" for m in metrics)


def to_time(status: str, outcome: Mapping[str, Any]) -> bool:
    """Whether a cell's times were taken beside others', and have not been taken again. Where that
    has failed it is not tried another time."""
    return status == "ok" and bool(outcome.get("shared")) and "timed" not in outcome


def stages_to_time(store: Store, keys: Sequence[str], budget: str) -> list[dict[str, Any]]:
    """For ``calibrate``: the trained stages whose steps ran beside other jobs, in the way they
    were trained. A budget of seconds is what its training took, whoever was beside it."""
    if budget == "seconds":
        return []
    records = [(key, read_or_none(store.model(key) / "stage.json") or {}) for key in keys]
    return [_way(key, record) for key, record in records if record.get("shared")]


def _way(key: str, record: Mapping[str, Any]) -> dict[str, Any]:
    memory = record.get("memory", {})
    way = {"micro_batch": memory.get("micro_batch"), "recompute": memory.get("recompute", False)}
    threads = record.get("threads", 0)
    return {"key": key, "name": record["name"], "memory": way, "threads": threads}


# ---------------------------------------------------------------------------- in a worker


def timed_steps(folder: Path, stages: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Stage key → seconds a step and how many were timed, as ``calibrate`` has left them in a
    cell's folder; BenchError where a stage could not be timed."""
    if not stages:
        return {}
    answer = files.read_json(folder / "calibrate.json")
    for stage in stages:
        if reason := answer["failed"].get(stage["key"]):
            raise BenchError(f"{stage['name']}: {reason}")
    return {
        stage["key"]: {
            "seconds": answer["seconds_per_step"][stage["key"]],
            "steps": answer["steps"][stage["key"]],
        }
        for stage in stages
    }


def timed_items(session: "Session", store: Store, folder: Path, report: Report) -> dict[str, Any]:
    """Some items of a cell made again as they were, and not kept: how many, and their times. One
    that warms up is not counted."""
    from timbrebench.benchmarks.estimate import Estimator

    known = files.read_json(folder / "estimates.json")
    estimator = Estimator(session, store, folder, report)
    estimator.chosen = known["chosen"]
    made = {(i["task"], i["track"]) for i in known["items"] if i["status"] == "ok"}
    work = [(t, i) for t, i in estimator.work() if (t.name, i.id) in made]
    estimator.again(*work[0])
    estimator.made.clear()  # what was summed from for it would cost nothing now
    return _timed(estimator, by_track(work), report)


def _timed(estimator: "Estimator", rounds: Sequence["Work"], report: Report) -> dict[str, Any]:
    """Whole rounds, since tasks differ in what they cost."""
    items: list[dict[str, float]] = []
    count = sum(map(len, rounds))
    for each in rounds:
        for task, track in each:
            items.append(estimator.again(task, track))
            report({"event": "progress", "what": "items", "share": len(items) / count})
        if sum(i["infer_seconds"] + i["vocoder_seconds"] for i in items) >= LEAST_SECONDS:
            break
    return {"items": len(items), **sums_of(items)}


def by_track(work: "Work") -> list["Work"]:
    """The first item of each task, then the second of each, and so on."""
    rounds: list[Work] = []
    place: dict[Any, int] = {}
    for task, track in work:
        number = place[task] = place.get(task, -1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append((task, track))
    return rounds


def taken_alone(
    outcome: Mapping[str, Any],
    trained: Mapping[str, Mapping[str, Any]],
    steps: Mapping[str, Mapping[str, Any]],
    items: Mapping[str, Any],
) -> dict[str, Any]:
    """A cell's outcome with the times that were taken alone. ``trained``: the record of each of
    its stages, by key; ``steps``: of those that were timed; ``items``: of its estimates."""
    count = sum(each["steps"] for each in steps.values())
    return {
        **outcome,
        **(_training(outcome, trained, steps) if steps else {}),
        **{name: items[name] for name in TIMES},
        "shared": any(s.get("shared") and key not in steps for key, s in trained.items()),
        "timed": {"items": items["items"], "steps": count},
    }


def _training(
    outcome: Mapping[str, Any],
    trained: Mapping[str, Mapping[str, Any]],
    steps: Mapping[str, Mapping[str, Any]],
) -> dict[str, float | None]:
    seconds = sum(
        steps[key]["seconds"] * stage["steps"] if key in steps else stage["seconds"]
        for key, stage in trained.items()
    )
    total = {"train_seconds": seconds}
    return total | speeds({**outcome, **total})
