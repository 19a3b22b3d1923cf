"""What a report tells below the costs of systems."""

from collections.abc import Callable
from typing import Any

import pytest

from timbrebench.core.results import StageRecord
from timbrebench.reports.costs import ALONE, BATCH_NORM, LOWERED_ESTIMATES, MEMORY, OVER, SHARED
from timbrebench.reports.summary import summarise


def stage(key: str, **memory: Any) -> StageRecord:
    return StageRecord(key, key, "ok", 10, 1.0, 1.0, {}, memory=memory, batch_size=8)


@pytest.fixture
def notes(make) -> Callable[..., list[str]]:
    """Those below the costs of palette, whose two seeds trained some stages."""

    def notes(*stages: StageRecord) -> list[str]:
        keys = [s.key for s in stages]
        cells = [make.cell("palette", seed=seed, stages=keys) for seed in (0, 1)]
        cells.append(make.cell("copy"))
        rows = [make.row(each, "train_seconds", 1.0, task="") for each in cells]
        (table,) = summarise([make.run(cells, rows, stages={s.key: s for s in stages})]).costs
        return list(table.notes)

    return notes


def test_a_whole_batch_is_not_worth_a_note(notes) -> None:
    plain = stage("a", micro_batch=8, recompute=False, batch_norm=False, planned_bytes=None)
    assert notes(plain) == notes() == []


def test_parts_and_recomputation_are_told_once(notes) -> None:
    parts = {"micro_batch": 2, "recompute": False}
    whole = {"micro_batch": 8, "recompute": True}
    told = notes(stage("a", **parts), stage("b", **parts), stage("c", **parts | whole))
    words = "Trained in parts of a batch, to fit the budget of memory"
    assert told == [f"{words}: palette (4×2, recomputed)."]


def test_running_out_is_told(notes) -> None:
    (_, told) = notes(stage("a", micro_batch=2, lowered=1), stage("b", micro_batch=2, lowered=2))
    words = "Ran out of memory and went on, in a new process, with less"
    assert told == f"{words}: palette (1 time, 2 times)."


GPU = {"limits": {"gpu": 8 << 30, "host": None}, "enforced": "allocator"}
PLANNED = GPU | {"enforced": "none"}
HOST = {"limits": {"gpu": None, "host": 800 << 20}, "enforced": "rlimit"}
FREE = {"limits": {"gpu": None, "host": None}, "enforced": "none"}


@pytest.mark.parametrize(
    ("trained", "copied", "told"),
    [
        (FREE, FREE, None),
        (GPU, GPU, "8.0 GiB of a GPU, enforced"),
        (PLANNED, PLANNED, "8.0 GiB of a GPU, planned for"),
        (HOST, FREE, "palette (800 MiB of the host, enforced); copy (no limit)"),
        (GPU, HOST, "palette (8.0 GiB of a GPU, enforced); copy (800 MiB of the host, enforced)"),
    ],
)
def test_what_memory_a_job_was_given_is_told(make, trained: Any, copied: Any, told: str) -> None:
    phases = {"palette": {"net": trained, "estimate": trained}, "copy": {"estimate": copied}}
    cells = [make.cell(name, outcome={"phases": p}) for name, p in phases.items()]
    rows = [make.row(each, "train_seconds", 1.0, task="") for each in cells]
    (table,) = summarise([make.run(cells, rows)]).costs
    assert [note for note in table.notes if note.startswith(MEMORY)] == (
        [f"{MEMORY}: {told}."] if told else []
    )


def test_running_out_and_over_the_budget_in_making_estimates_is_told(make) -> None:
    """What a cell's outcome holds of its phases: training is one, and so are the estimates."""
    kept, over = {"lowered": 0, "within_budget": True}, {"lowered": 1, "within_budget": False}
    phases = [
        {"estimate": {"lowered": 2, "within_budget": True}, "net": kept},
        {"estimate": over, "net": over},
    ]
    cells = [make.cell("palette", seed=n, outcome={"phases": p}) for n, p in enumerate(phases)]
    cells.append(make.cell("copy", outcome={"phases": {"estimate": {"within_budget": None}}}))
    rows = [make.row(each, "train_seconds", 1.0, task="") for each in cells]
    (table,) = summarise([make.run(cells, rows)]).costs
    assert list(table.notes) == [
        f"{LOWERED_ESTIMATES}: palette (2 times, 1 time).",
        f"{OVER}: palette (estimates, training net).",
    ]


def test_batch_norm_is_flagged(notes) -> None:
    assert notes(stage("encoder", micro_batch=8, batch_norm=True)) == [
        f"{BATCH_NORM}: palette (encoder of 8)."
    ]


def test_times_of_systems_that_shared_a_machine_are_told(make) -> None:
    cells = [make.cell("palette", outcome={"shared": True}), make.cell("copy", outcome={})]
    rows = [make.row(each, "train_seconds", 1.0, task="") for each in cells]
    (table,) = summarise([make.run(cells, rows)]).costs
    assert list(table.notes) == [f"{SHARED}: palette."]


def test_times_that_were_taken_alone_are_told_of_how_much(make) -> None:
    """Over the seeds; what is still of a shared machine says why."""

    def outcome(timed: dict[str, Any], shared: bool = False) -> dict[str, Any]:
        return {"shared": shared, "timed": timed}

    cells = [
        make.cell("palette", seed=0, outcome=outcome({"items": 4, "steps": 8})),
        make.cell("palette", seed=1, outcome=outcome({"items": 2, "steps": 5})),
        make.cell("copy", outcome=outcome({"items": 1, "steps": 0})),
        make.cell("cross", outcome=outcome({"items": 3, "steps": 0}, shared=True)),
        make.cell("ddim", outcome=outcome({"failed": "oom: out of memory."}, shared=True)),
    ]
    rows = [make.row(each, "train_seconds", 1.0, task="") for each in cells]
    (table,) = summarise([make.run(cells, rows)]).costs
    beside, alone = table.notes
    assert beside.startswith(f"{SHARED}: ") and alone.startswith(f"{ALONE}: ")
    told = [note.partition(": ")[2].rstrip(".").split("; ") for note in (beside, alone)]
    assert sorted(told[0]) == [
        "cross (its training, whose seconds are its budget)",
        "ddim (not timed alone: oom: out of memory)",
    ]
    assert sorted(told[1]) == ["copy (1 item)", "cross (3 items)", "palette (13 steps, 6 items)"]
