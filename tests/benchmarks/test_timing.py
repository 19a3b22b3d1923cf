"""Cells that ran beside others: timed alone when all else has ended, once, and nothing else of them
changes."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from usable_cells import FAST, TINY, Quiet, corpus_folder, plans_here, where

from timbrebench.benchmarks import making, runner, timing, worker
from timbrebench.benchmarks.config import Execution, RunConfig
from timbrebench.benchmarks.executors.local import LocalExecutor
from timbrebench.benchmarks.executors.process import answer_file
from timbrebench.benchmarks.jobs import Job, Outcome
from timbrebench.benchmarks.limits import MemoryLimits
from timbrebench.benchmarks.plan import Plan, make_plan
from timbrebench.benchmarks.reading import read_run
from timbrebench.benchmarks.runner import Listener, Result, Runner
from timbrebench.benchmarks.store import Store
from timbrebench.core import files
from timbrebench.core.interfaces import Method
from timbrebench.core.records import Budget, Clip, Task, Track
from timbrebench.core.registry import registry
from timbrebench.testing import tiny_corpus

STOPPED = Outcome("interrupted", reason="stopped by the user")
TIMED = ["calibrate", "time"]  # the jobs that take a cell's times again


class Beside:
    """Does each job at once, as one of several that run beside each other. ``ends``: how jobs of a
    kind end that are not done."""

    shared = True

    def __init__(self, **ends: Outcome) -> None:
        self.ends, self.ran = ends, list[Job]()

    def run(self, jobs: Sequence[Job], listen: Listener) -> Iterator[tuple[Job, Outcome]]:
        for job in jobs:
            self.ran.append(job)
            yield job, self.ends.get(job.kind) or self._done(job)

    def _done(self, job: Job) -> Outcome:
        job.folder.mkdir(parents=True, exist_ok=True)
        how = {"threads": 1, "shared": self.shared and not job.alone}
        given = {**asdict(job), "folder": str(job.folder), **how}
        answer = worker._answer(given, Quiet())  # type: ignore[arg-type]
        files.write_json(answer_file(job), answer)
        return Outcome(answer["status"], answer, "", answer.get("reason", ""))

    def cancel(self) -> None:
        """It is never asked to."""

    @property
    def kinds(self) -> list[str]:
        return [job.kind for job in self.ran]


def run(out: Path, executor: Any, *methods: str, **fields: Any) -> Result:
    known: dict[str, Any] = {
        "methods": methods or ("palette",),
        "options": {"palette": TINY, **FAST},
        "tasks": ("bell:bow",),
        "budget": Budget("steps", 3),
        "metrics": ("level_error_db", "runtime"),
        "precision": "fp32",
    }
    config = RunConfig(**{**known, **fields}, **where(corpus_folder()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "stage_plans", known_plans)
        plan = make_plan(config, registry())
        return Runner(plan, Store(out), executor, lambda job, event: None, Execution()).run()


_plans: dict[str, dict[str, Any]] = {}  # by cell: they are traced once


def known_plans(plan: Plan, limits: MemoryLimits) -> dict[str, dict[str, Any]]:
    if not _plans.keys() >= {cell.key for cell in plan.cells}:
        _plans.update(plans_here(plan, limits))
    return _plans


@pytest.fixture(scope="module")
def untimed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped when all was done but the times."""
    out = tmp_path_factory.mktemp("untimed") / "run"
    executor = Beside(calibrate=STOPPED, time=STOPPED)
    assert run(out, executor).exit_code == 0
    assert executor.kinds[-4:] == ["train", "evaluate", *TIMED]
    assert [job.alone for job in executor.ran[-4:]] == [False, False, True, True]
    return out


@pytest.fixture
def out(untimed: Path, tmp_path: Path) -> Path:
    """It, in a folder that may be changed."""
    return Path(shutil.copytree(untimed, tmp_path / "run"))


def cell_of(root: Path, label: str) -> Path:
    cells = [path.parent for path in root.glob("cells/*/cell.json")]
    return next(c for c in cells if files.read_json(c / "cell.json")["label"] == label)


def result_of(root: Path) -> dict[str, Any]:
    (path,) = root.glob("cells/*/result.json")
    return dict(files.read_json(path))


def sizes(root: Path, result: Mapping[str, Any]) -> dict[str, int]:
    """Of the files that it names, as they are now."""
    (cell,) = root.glob("cells/*")
    return {name: (cell / name).stat().st_size for name in result["files"]}


def cost_rows(root: Path) -> dict[str, Any]:
    rows = read_run(root).rows
    return {row["metric"]: row["value"] for row in rows if not row["task"]}


# ---------------------------------------------------------------------------- a run


def test_only_the_times_are_taken_again_and_once(out: Path) -> None:
    before, made = result_of(out), {p: p.stat().st_mtime_ns for p in out.rglob("estimates/**/*")}
    assert before["outcome"]["shared"] is True
    executor = Beside()
    assert run(out, executor).exit_code == 0
    assert executor.kinds == TIMED
    result = result_of(out)
    outcome = result["outcome"]
    assert outcome["shared"] is False
    assert outcome["timed"]["items"] == 2 and outcome["timed"]["steps"] >= 1
    assert outcome["train_seconds"] != before["outcome"]["train_seconds"]
    assert outcome["train_seconds"] == pytest.approx(outcome["seconds_per_step"] * 3)
    assert outcome["examples_per_second"] == pytest.approx(12 / outcome["train_seconds"])
    assert outcome == files.read_json(next(out.glob("cells/*/outcome.json")))
    kept = ("train_flops", "train_steps", "parameters", "phases", "audio_seconds", "threads")
    assert {k: outcome[k] for k in kept} == {k: before["outcome"][k] for k in kept}
    changed = {"outcome": outcome, "files": sizes(out, before)}
    assert result == before | changed
    assert made == {p: p.stat().st_mtime_ns for p in out.rglob("estimates/**/*")}
    again = Beside()
    run(out, again)
    assert again.ran == []


def test_rows_are_those_of_the_new_times(out: Path) -> None:
    before = cost_rows(out)
    run(out, Beside())
    rows, outcome = cost_rows(out), result_of(out)["outcome"]
    factor = outcome["infer_seconds"] / outcome["audio_seconds"]
    assert rows["real_time_factor"] == pytest.approx(factor)
    assert rows["train_seconds"] == outcome["train_seconds"] != before["train_seconds"]
    assert rows["peak_rss_bytes"] == before["peak_rss_bytes"]


@pytest.mark.parametrize("status", ["failed", "oom", "timeout"])
def test_a_failure_is_kept_with_its_reason_and_not_tried_again(out: Path, status: str) -> None:
    before, executor = result_of(out), Beside(time=Outcome(status, reason="a reason"))
    assert run(out, executor).exit_code == 0
    failed = {"timed": {"failed": f"{status}: a reason"}}
    result = result_of(out)
    changed = {"outcome": before["outcome"] | failed, "files": sizes(out, before)}
    assert result == before | changed
    assert result["outcome"] == files.read_json(next(out.glob("cells/*/outcome.json")))
    again = Beside()
    run(out, again)
    assert again.ran == []


@pytest.mark.parametrize("status", ["killed", "interrupted"])
def test_what_was_stopped_is_tried_again(out: Path, status: str) -> None:
    before = result_of(out)
    run(out, Beside(calibrate=Outcome(status), time=Outcome(status)))
    assert result_of(out) == before
    again = Beside(calibrate=STOPPED, time=STOPPED)
    run(out, again)
    assert again.kinds == TIMED


def test_what_cannot_be_made_again_leaves_the_cell_as_it_was(out: Path) -> None:
    before = result_of(out)
    next(out.glob("cells/*/estimates.json")).write_text("half")
    run(out, Beside(calibrate=Outcome("ok")))
    result = result_of(out)
    assert (result["status"], result["scores"]) == ("ok", before["scores"])
    assert result["outcome"]["shared"] is True
    assert result["outcome"]["timed"]["failed"].startswith("failed: ")


def test_who_asks_for_no_cost_gets_no_times(out: Path) -> None:
    executor = Beside()
    run(out, executor, metrics=("level_error_db",))
    assert executor.kinds == ["evaluate"]
    run(out, executor)
    assert executor.kinds[1:] == ["evaluate", *TIMED]


def test_what_ran_alone_is_not_timed_again(out: Path) -> None:
    class OneByOne(Beside):
        shared = False

    executor = OneByOne()
    run(out, executor, "copy", metrics=("runtime",))
    assert executor.kinds == ["evaluate", "compare"]
    outcome = files.read_json(cell_of(out, "copy") / "result.json")["outcome"]
    assert outcome["shared"] is False and "timed" not in outcome


def test_after_processes_that_could_run_at_once_comes_one_that_is_alone(out: Path) -> None:
    run(out, LocalExecutor(2, threads=1), "copy", metrics=("runtime",))
    cell = cell_of(out, "copy")
    told = [files.read_json(path) for path in cell.glob("*.job.json")]
    assert {t["kind"]: t["shared"] for t in told} == {"evaluate": True, "time": False}
    outcome = files.read_json(cell / "result.json")["outcome"]
    assert outcome["shared"] is False
    assert outcome["timed"] == {"items": 2, "steps": 0}


# ---------------------------------------------------------------------------- what is computed


def stage(seconds: float, steps: int, shared: bool) -> dict[str, Any]:
    memory = {"micro_batch": 2, "recompute": True, "planned_bytes": 9}
    fields = {"seconds": seconds, "steps": steps, "shared": shared}
    return {"name": "net", "memory": memory, "threads": 3, **fields}


OUTCOME = {"train_seconds": 9.0, "train_steps": 30, "train_examples": 120, "shared": True}
ITEMS = {"items": 5, "infer_seconds": 1.0, "vocoder_seconds": 2.0, "audio_seconds": 3.0}


def test_stages_that_trained_alone_keep_their_seconds() -> None:
    trained = {"a": stage(7.0, 20, True), "b": stage(2.0, 10, False)}
    found = timing.taken_alone(OUTCOME, trained, {"a": {"seconds": 0.15, "steps": 6}}, ITEMS)
    assert found == {
        **OUTCOME,
        **{"train_seconds": 5.0, "seconds_per_step": 5.0 / 30, "examples_per_second": 24.0},
        **{"infer_seconds": 1.0, "vocoder_seconds": 2.0, "audio_seconds": 3.0},
        **{"shared": False, "timed": {"items": 5, "steps": 6}},
    }


def test_a_budget_of_seconds_is_what_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for key, shared in (("a", True), ("b", False)):
        files.write_json(store.model(key) / "stage.json", stage(7.0, 20, shared))
    assert timing.stages_to_time(store, ["a", "b"], "seconds") == []
    way = {"micro_batch": 2, "recompute": True}
    assert timing.stages_to_time(store, ["a", "b"], "flops") == [
        {"key": "a", "name": "net", "memory": way, "threads": 3}
    ]
    found = timing.taken_alone(OUTCOME, {"a": stage(9.0, 30, True)}, {}, ITEMS)
    assert (found["train_seconds"], found["shared"]) == (9.0, True)


class Slow(Method):
    """The source; the clock says that a task took as many seconds as it is told to."""

    def __init__(self, seconds: Mapping[str, float]) -> None:
        super().__init__(None, None)
        self.seconds, self.now, self.calls = seconds, 0.0, list[str]()

    def transfer(
        self,
        clips: Sequence[Clip],
        task: Task,
        styles: Sequence[Sequence[Clip]],
        rngs: Sequence[np.random.Generator],
    ) -> list[Clip]:
        self.now += self.seconds[task.name]
        self.calls.append(task.name)
        return list(clips)


BELL, REED = Task("transfer", "bell", "bow"), Task("transfer", "reed", "bow")
BOTH = Task("transfer", "bell+reed", "bow", parts=(BELL, REED))


@pytest.fixture
def timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The times of tasks that take some seconds an item each, of the tiny corpus; some items
    failed."""
    corpus = tiny_corpus(tmp_path, seconds=1.0)
    for track in corpus.tracks:
        track.stems["bell+reed"] = track.stems["bell"]  # type: ignore[index]

    def timed(method: Slow, tasks: Sequence[Task], failed: Sequence[str] = ()) -> dict[str, Any]:
        monkeypatch.setattr(making, "time", SimpleNamespace(monotonic=lambda: method.now))
        cell = {"vocoder": {"name": ""}, "max_seconds": None, "references": "r", "score_on": "test"}
        session = SimpleNamespace(
            **{"method": method, "tasks": tasks, "corpus": corpus, "cell": cell},
            **{"seed": 0, "to_choose": {}, "use": lambda values: None},
        )
        tracks = corpus.tracks_of("test", "bell")
        items = [
            {"task": t.name, "track": i.id, "status": "failed" if i.id in failed else "ok"}
            for t in tasks
            for i in tracks
        ]
        files.write_json(tmp_path / "estimates.json", {"items": items, "chosen": {}})
        return timing.timed_items(session, Store(tmp_path), tmp_path, Quiet())  # type: ignore[arg-type]

    return timed


def test_the_first_item_warms_up_and_rounds_are_whole(timed) -> None:
    slow = Slow({BELL.name: 4.0, REED.name: 2.0})
    found = timed(slow, (BELL, REED))
    assert slow.calls == [BELL.name, BELL.name, REED.name]
    assert (found["items"], found["infer_seconds"], found["vocoder_seconds"]) == (2, 6.0, 0.0)
    assert found["audio_seconds"] == pytest.approx(2.0)


def test_all_items_where_they_are_quick(timed) -> None:
    slow = Slow({BELL.name: 0.25})
    found = timed(slow, (BELL,))
    assert found["items"] == len(slow.calls) - 1 >= 2
    assert found["infer_seconds"] == 0.25 * found["items"]


def test_sums_of_others_cost_what_they_cost_in_the_run(timed) -> None:
    """Their parts are made once for both."""
    slow = Slow({BELL.name: 4.0, REED.name: 2.0})
    found = timed(slow, (BELL, BOTH))
    assert slow.calls == [BELL.name, BELL.name, REED.name]
    assert (found["items"], found["infer_seconds"]) == (2, 6.0)


def test_items_that_failed_are_left_out(timed) -> None:
    whole = timed(Slow({BELL.name: 0.25}), (BELL,))["items"]
    slow = Slow({BELL.name: 0.25})
    assert timed(slow, (BELL,), failed=["tune4"])["items"] == whole - 1 == len(slow.calls) - 1


def test_rounds_take_an_item_of_each_task() -> None:
    tracks = [Track(name, {}, seconds=1.0) for name in "xyz"]
    work = [*((BELL, t) for t in tracks), (REED, tracks[1])]
    assert timing.by_track(work) == [
        [(BELL, tracks[0]), (REED, tracks[1])],
        [(BELL, tracks[1])],
        [(BELL, tracks[2])],
    ]
