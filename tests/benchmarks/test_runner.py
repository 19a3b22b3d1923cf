"""The runner with an executor that runs nothing: which jobs it makes of a plan, and what it makes
of their outcomes."""

import errno
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from timbrebench.benchmarks import runner as runners
from timbrebench.benchmarks.config import Execution, RunConfig
from timbrebench.benchmarks.jobs import Job, Outcome
from timbrebench.benchmarks.limits import MemoryLimits
from timbrebench.benchmarks.plan import Plan, make_plan
from timbrebench.benchmarks.reading import read_run
from timbrebench.benchmarks.runner import Listener, Result, Runner
from timbrebench.benchmarks.store import Store, VerifiedModels
from timbrebench.core import files
from timbrebench.core.errors import BenchError
from timbrebench.core.registry import Registry

ROW = {"metric": "m", "task": "bell:bow", "item": "", "value": 0.5, "status": "ok"}
HEARD = {"tracks": {}, "seconds": {}, "rms_db": -20.0, "peak_db": -3.0, "silent_share": 0.0}
COMPARED = {
    **{"dataset": "folder", "method": "learner", "rival": "copy", "task": "bell:bow"},
    **{"metric": "m", "value": 0.5, "low": None, "high": None, "p": 0.5, "p_holm": 0.5, "n": 2},
}


class Fake:
    """Leaves what the jobs of a good run leave; ``ends`` says how the jobs of other labels end."""

    def __init__(self, **ends: Outcome) -> None:
        self.ends, self.ran = ends, list[Job]()
        self.card: dict[str, Any] = {}  # that is heard of the data
        self.surveys = list[Job]()
        self.cancelled = False

    def run(self, jobs: Sequence[Job], listen: Listener) -> Iterator[tuple[Job, Outcome]]:
        for job in jobs:
            if self.cancelled:
                return
            if job.kind == "survey":
                self.surveys.append(job)
                stems = dict.fromkeys(job.data["instruments"], HEARD)
                yield (
                    job,
                    self.ends.get("listen")
                    or Outcome("ok", {"card": {"stems": stems, **self.card}}),
                )
                continue
            self.ran.append(job)
            end = self.ends.get(job.label.split()[0])
            yield job, end or getattr(self, f"_{job.kind}")(job)

    def cancel(self) -> None:
        self.cancelled = True

    def _compare(self, job: Job) -> Outcome:
        return Outcome("ok", {"comparisons": [COMPARED]})

    def _prepare(self, job: Job) -> Outcome:
        return Outcome("ok")

    def _train(self, job: Job) -> Outcome:
        files.write_text(job.folder / "model.safetensors", "weights")
        sha256 = files.sha256_of(job.folder / "model.safetensors")
        record = {"sha256": sha256, "name": "net", "steps": 1, "seconds": 1, "parameters": {}}
        files.write_json(job.folder / "stage.json", record)
        return Outcome("ok")

    def _evaluate(self, job: Job) -> Outcome:
        names = [f"{m['name']}.json" for m in job.data["metrics"]]
        for name in names:
            files.write_json(job.folder / "scores" / name, [ROW])
        files.write_json(job.folder / "estimates.json", {"items": []})
        return Outcome("ok", {"scores": names, "outcome": {"seconds": 1}})

    @property
    def kinds(self) -> list[str]:
        return [job.kind for job in self.ran]


@pytest.fixture(autouse=True)
def stages(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What tracing says of each method: two stages, or what a test puts here."""
    said: dict[str, dict[str, Any]] = {}

    def plans(plan: Plan, limits: MemoryLimits) -> dict[str, dict[str, Any]]:
        return {
            c.key: said.get(c.method.name, planned(stage("first"), stage("second", "first")))
            for c in plan.cells
            if c.trains and not c.impossible
        }

    monkeypatch.setattr(runners, "stage_plans", plans)
    return said


def stage(name: str, *depends: str) -> dict[str, Any]:
    return {
        "name": name,
        "key": f"key-{name}",
        "depends": {d: f"key-{d}" for d in depends},
        "batch_size": 4,
        "memory": {"micro_batch": 2, "recompute": False, "planned_bytes": 9, "batch_norm": False},
    }


def planned(*stages: dict[str, Any]) -> dict[str, Any]:
    return {"stages": list(stages), "sampling": {"slices": 4, "planned_bytes": 9}}


@pytest.fixture
def run(tmp_path: Path, plugins: Registry, config: Callable[..., RunConfig]):
    """Runs methods with an executor into tmp_path/run."""

    def go(
        *methods: str,
        executor: Fake | None = None,
        limits: Execution = Execution(),  # noqa: B008 (it is frozen)
        **fields: Any,
    ) -> tuple[Result, Fake]:
        executor = executor or Fake()
        plan = make_plan(config(*methods, **{"metrics": ("mel_l1",), **fields}), plugins)
        runner = Runner(plan, Store(tmp_path / "run"), executor, lambda job, event: None, limits)
        return runner.run(), executor

    return go


def kept(root: Path) -> dict[str, dict[str, Any]]:
    """Label → result.json."""
    found = {}
    for path in (root / "run").glob("cells/*/cell.json"):
        label = json.loads(path.read_text())["label"]
        found[label] = json.loads((path.parent / "result.json").read_text())
    return found


# ---------------------------------------------------------------------------- jobs


def test_stages_in_their_order_then_the_evaluation(run, tmp_path: Path) -> None:
    result, executor = run("learner")
    assert executor.kinds == ["train", "train", "evaluate"]
    assert [j.key for j in executor.ran[:2]] == ["key-first", "key-second"]
    assert [j.needs for j in executor.ran] == [(), ("key-first",), ("key-first", "key-second")]
    assert executor.ran[2].data["stages"] == {"first": "key-first", "second": "key-second"}
    lower = [each["stage"]["memory"] for each in executor.ran[0].lower]
    assert [(m["micro_batch"], m["recompute"], m["lowered"]) for m in lower] == [
        (1, False, 1),
        (1, True, 2),
    ]
    assert [each["sampling"]["slices"] for each in executor.ran[2].lower] == [2, 1]
    assert (list(result.statuses.values()), result.exit_code) == (["ok"], 0)
    assert kept(tmp_path)["learner"]["outcome"] == {"seconds": 1}
    assert "learner" in (tmp_path / "run" / "scores.csv").read_text()


def test_what_is_done_is_not_done_again(run, tmp_path: Path) -> None:
    run("learner", "player")
    result, executor = run("learner", "player")
    assert executor.kinds == []
    assert (set(result.statuses.values()), result.exit_code) == ({"ok"}, 0)
    assert len(read_run(tmp_path / "run").rows) == 2


def test_a_new_metric_trains_nothing(run) -> None:
    run("learner")
    _, executor = run("learner", metrics=("mel_l1", "level_error_db"))
    assert executor.kinds == ["evaluate"]


def test_a_damaged_model_is_trained_anew(run, tmp_path: Path) -> None:
    run("learner")
    (tmp_path / "run" / "models" / "key-first" / "model.safetensors").write_text("x")
    _, executor = run("learner")
    assert [j.key for j in executor.ran if j.kind == "train"] == ["key-first"]
    assert executor.kinds == ["train", "evaluate"]


def test_a_shared_stage_is_trained_once(run) -> None:
    _, executor = run("learner", "theirs")
    assert executor.kinds.count("train") == 2
    assert executor.kinds.count("evaluate") == 2


def test_limits_reach_the_jobs(
    tmp_path: Path, plugins: Registry, config: Callable[..., RunConfig]
) -> None:
    executor = Fake()
    plan, limits = (
        make_plan(config("learner"), plugins),
        Execution(deadline=9.0, stall=8.0, checkpoint_seconds=7.0),
    )
    Runner(plan, Store(tmp_path), executor, lambda job, event: None, limits).run()
    assert {(j.deadline, j.stall) for j in executor.ran} == {(9.0, 8.0)}
    assert executor.ran[0].data["checkpoint_seconds"] == 7.0


# ---------------------------------------------------------------------------- outcomes


def test_a_failed_cell_is_told_and_tried_again(run, tmp_path: Path) -> None:
    broken = Outcome("oom", {}, "train", "out of memory", "the log")
    result, _ = run("learner", "player", executor=Fake(player=broken))
    assert sorted(result.statuses.values()) == ["ok", "oom"]
    assert result.exit_code == 1
    found = kept(tmp_path)["player"]
    assert (found["status"], found["phase"], found["log_tail"]) == ("oom", "train", "the log")
    result, executor = run("learner", "player")
    assert (executor.kinds, result.exit_code) == (["evaluate"], 0)


def test_a_cell_that_cannot_be_planned_fails_alone(run, stages, tmp_path: Path) -> None:
    stages["theirs"] = {"error": "ValueError: no", "status": "killed", "log_tail": "x"}
    result, executor = run("learner", "theirs")
    assert executor.kinds == ["train", "train", "evaluate"]
    assert (result.exit_code, kept(tmp_path)["theirs"]["phase"]) == (1, "plan")
    assert kept(tmp_path)["theirs"]["status"] == "killed"


def test_what_is_impossible_is_no_failure(run, tmp_path: Path) -> None:
    result, _ = run("player", "maker")
    assert result.exit_code == 0
    assert kept(tmp_path)["maker"]["reason"] == "maker does generate tasks only"
    assert run("maker")[0].exit_code == 2


def test_failed_items_are_told_by_the_exit_code(run) -> None:
    """Also when there was nothing left to do."""
    answer = {"scores": [], "files": {}, "failed_items": 2, "reason": "2 of 3 items failed: x"}
    result, _ = run("player", executor=Fake(player=Outcome("ok", answer)))
    assert (list(result.statuses.values()), result.exit_code) == (["ok"], 1)
    result, executor = run("player")
    assert (executor.kinds, result.exit_code) == ([], 1)


def test_an_interrupted_run(run, tmp_path: Path, plugins: Registry, config) -> None:
    executor = Fake()
    runner = Runner(
        make_plan(config("learner", metrics=("mel_l1",)), plugins),
        Store(tmp_path / "run"),
        executor,
        lambda job, event: runner.cancel() if job.kind == "train" else None,
        Execution(),
    )
    assert runner.run().exit_code == 130
    assert executor.kinds == ["train"]
    assert kept(tmp_path)["learner"]["status"] == "interrupted"
    result, executor = run("learner")
    assert (executor.kinds, result.exit_code) == (["train", "evaluate"], 0)


def test_an_interruption_while_plans_are_traced(
    tmp_path: Path, plugins: Registry, config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was known of a cell stays; it has no stages to name."""
    executor = Fake()
    plan, store = make_plan(config("learner"), plugins), Store(tmp_path)
    given = plan, store, executor, lambda job, event: None, Execution()
    Runner(*given).run()
    before = files.read_json(store.cell(plan.cells[0].key) / "cell.json")
    traced: list[str] = []

    def trace(*_: Any) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)  # as the worker that it waits for
        traced.append("to its end")
        return {}

    monkeypatch.setattr(runners, "stage_plans", trace)
    runner = Runner(*given)
    known = signal.signal(signal.SIGINT, lambda *_: runner.cancel())
    try:
        assert runner.run().exit_code == 130
    finally:
        signal.signal(signal.SIGINT, known)
    assert (traced, executor.kinds.count("train")) == ([], 2)
    assert files.read_json(store.cell(plan.cells[0].key) / "cell.json") == before


@pytest.mark.parametrize("status", ["killed", "interrupted"])
def test_comparisons_that_were_not_made_are_made_the_next_time(
    run, tmp_path: Path, status: str
) -> None:
    class Stopped(Fake):
        def _compare(self, job: Job) -> Outcome:
            return Outcome(status)

    result, _ = run("learner", "copy", executor=Stopped())
    assert result.exit_code == 1
    assert not (tmp_path / "run" / "comparisons.json").exists()
    result, executor = run("learner", "copy")
    assert (executor.kinds, result.exit_code) == (["compare"], 0)
    assert (tmp_path / "run" / "comparisons.json").exists()
    assert run("learner", "copy")[1].kinds == []


def test_an_interruption_does_not_hide_what_was_done(run, tmp_path: Path) -> None:
    run("player")
    stopped = Outcome("interrupted", reason="stopped by the user")
    result, _ = run("player", executor=Fake(player=stopped), metrics=("level_error_db",))
    assert list(result.statuses.values()) == ["interrupted"]
    assert kept(tmp_path)["player"]["status"] == "ok"
    assert [r["metric"] for r in read_run(tmp_path / "run").rows] == ["m"]


@pytest.mark.parametrize("status", ["timeout", "killed", "oom"])
def test_a_new_metric_that_ends_its_job_hides_no_score(run, tmp_path: Path, status: str) -> None:
    run("player")
    ended = Outcome(status, reason="it gave no sign of life for 600 s")
    both = {"metrics": ("mel_l1", "level_error_db")}
    result, _ = run("player", executor=Fake(player=ended), **both)
    assert (list(result.statuses.values()), result.exit_code) == ([status], 1)
    assert list(result.kept.values()) == [ended]
    assert kept(tmp_path)["player"]["status"] == "ok"
    assert [r["metric"] for r in read_run(tmp_path / "run").rows] == ["m"]
    result, executor = run("player", **both)  # what failed is tried again
    assert (executor.kinds, result.exit_code, result.kept) == (["evaluate"], 0, {})


def test_a_later_plan_that_fails_takes_nothing_back(run, stages, tmp_path: Path) -> None:
    run("learner", "theirs")
    rows = read_run(tmp_path / "run").rows
    stages["learner"] = {"error": "it needs 3 GiB", "status": "impossible"}
    stages["theirs"] = {"error": "it gave no sign of life", "status": "timeout"}
    result, executor = run("learner", "theirs")
    assert (sorted(result.statuses.values()), executor.kinds) == (["impossible", "timeout"], [])
    assert result.exit_code == 1
    assert {found["status"] for found in kept(tmp_path).values()} == {"ok"}
    assert read_run(tmp_path / "run").rows == rows != []


def test_a_result_without_its_estimates_is_replaced(run, tmp_path: Path) -> None:
    run("player")
    for path in tmp_path.glob("run/cells/*/estimates.json"):
        path.unlink()
    result, _ = run("player", executor=Fake(player=Outcome("killed")), metrics=("level_error_db",))
    assert result.kept == {}
    assert kept(tmp_path)["player"]["status"] == "killed"


# ---------------------------------------------------------------------------- preparation


def unprepared(plan: Plan) -> Plan:
    return Plan(plan.config, plan.corpus, plan.cells, plan.metrics, unprepared=3)


def test_data_is_prepared_first(tmp_path: Path, plugins: Registry, config) -> None:
    executor = Fake()
    plan = unprepared(make_plan(config("player"), plugins))
    Runner(plan, Store(tmp_path), executor, lambda job, event: None, Execution()).run()
    assert executor.kinds == ["prepare", "evaluate"]
    assert executor.ran[0].data["name"] == "folder"


def test_a_failed_preparation_ends_the_run(tmp_path: Path, plugins: Registry, config) -> None:
    executor = Fake(prepare=Outcome("failed", reason="no network"))
    plan = unprepared(make_plan(config("player"), plugins))
    with pytest.raises(BenchError, match="preparing folder failed: no network"):
        Runner(plan, Store(tmp_path), executor, lambda job, event: None, Execution()).run()
    assert executor.kinds == ["prepare"]


# ---------------------------------------------------------------------------- the run folder


def test_runs_into_one_folder_add_up(run, tmp_path: Path) -> None:
    run("player")
    run("learner")
    assert sorted(c.label for c in read_run(tmp_path / "run").cells) == ["learner", "player"]
    lines = (tmp_path / "run" / "scores.jsonl").read_text().splitlines()
    assert {json.loads(line)["method"] for line in lines} == {"learner", "player"}


def test_a_newer_cell_of_a_place_replaces_the_older(run, tmp_path: Path) -> None:
    run("player")
    run("player", options={"player": {"steps": 3}})
    (cell,) = read_run(tmp_path / "run").cells
    assert cell.options["steps"] == 3
    assert len(list((tmp_path / "run" / "cells").iterdir())) == 2


def test_one_cell_said_in_two_ways_has_its_rows_once(run, tmp_path: Path) -> None:
    run("player", "player[width=8]")
    assert len(read_run(tmp_path / "run").rows) == 1
    assert len((tmp_path / "run" / "scores.jsonl").read_text().splitlines()) == 1


def test_a_cell_names_its_stages_before_they_are_trained(run, tmp_path: Path) -> None:
    class Killed(Fake):
        def _train(self, job: Job) -> Outcome:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("learner", executor=Killed())
    (cell,) = read_run(tmp_path / "run").cells
    assert (cell.status, cell.stages) == ("pending", ["key-first", "key-second"])


def test_two_runs_at_once_are_refused(run, tmp_path: Path) -> None:
    with Store(tmp_path / "run").writing(), pytest.raises(BenchError, match="another bench run"):
        run("player")


def test_a_folder_of_another_version_is_left_alone(run, tmp_path: Path) -> None:
    path = tmp_path / "run" / "run.json"
    files.write_json(path, {"schema": 0, "cells": {"x": "y"}})
    before = path.read_text()
    with pytest.raises(BenchError, match="of another version of timbrebench"):
        run("player")
    assert path.read_text() == before


def test_a_disk_that_fills_up_is_one_line(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, value: Mapping[str, Any]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(runners.files, "write_json", full)
    with pytest.raises(BenchError, match=r"cannot write to .*: No space left on device"):
        run("player")


# ---------------------------------------------------------------------------- large grids

_opened: list[str] | None = None  # what a test counts; a hook cannot be taken away again


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


def states(root: Path) -> dict[str, tuple[int, int]]:
    """(inode, time of the last change) of each file, but for the lock, which is opened."""
    found = [path for path in root.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(p.relative_to(root)): (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}


def test_a_finished_grid_is_gone_over_by_a_few_files_a_cell(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cell.json and result.json of each, and nothing is written at all: palette has an option that
    is a tuple here and a list in its record."""
    sys.addaudithook(_hear)
    methods, opens = ("player", "noise", "palette"), {}
    for count in (5, 25):
        seeds = tuple(range(count))
        run(*methods, seeds=seeds)
        run(*methods, seeds=seeds)  # it reads the new models, and remembers that they are whole
        before = states(tmp_path / "run")
        monkeypatch.setattr(sys.modules[__name__], "_opened", [])
        _, executor = run(*methods, seeds=seeds)
        opens[count] = [p for p in _opened or [] if str(tmp_path) in p]
        monkeypatch.setattr(sys.modules[__name__], "_opened", None)
        assert executor.ran == []
        assert states(tmp_path / "run") == before
    assert (len(opens[25]) - len(opens[5])) / (len(methods) * 20) <= 2
    assert not [p for p in opens[25] if ".part-" in p]


def test_a_kill_before_the_scores_are_written_is_made_good(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run writes a cell's result and dies: the third has no job, and the scores."""
    run("player")

    def killed(*given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runners, "write_scores", killed)
        run("player", "noise")
    stale = (tmp_path / "run" / "scores.csv").read_text()
    _, executor = run("player", "noise")
    assert executor.ran == []
    assert "noise" not in stale and "noise" in (tmp_path / "run" / "scores.csv").read_text()


def test_what_kills_left_is_removed_where_the_next_run_works(run, tmp_path: Path) -> None:
    """Half-written files, and the checkpoints of a stage that was done when the kill came."""
    run("learner", "player")
    root = tmp_path / "run"
    (cell,) = (p.parent for p in root.glob("cells/*/cell.json") if "learner" in p.read_text())
    left = [
        *(root / ".part-a", root / "references" / "r" / "bell" / ".part-b.flac"),
        *(cell / "scores" / ".part-c", root / "models" / "key-first" / "checkpoint.pt"),
    ]
    for path in left:
        files.write_text(path, "half")
    (cell / "result.json").unlink()
    run("learner")
    assert not [path for path in left if path.exists()]


def test_weights_are_hashed_again_where_they_were_touched(tmp_path: Path) -> None:
    store, key = Store(tmp_path), "key"
    weights = store.model(key) / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"whole")
    record = {"name": "net", "steps": 1, "seconds": 1.0, "parameters": {}}
    known = {**record, "sha256": files.sha256_of(weights)}
    files.write_json(store.model(key) / "stage.json", known)
    models = VerifiedModels.of(store)
    assert models.done(store, key) and not models.done(store, "another")
    models.keep(store)
    assert VerifiedModels.of(store).known == models.known
    weights.write_bytes(b"wrong")
    assert not VerifiedModels.of(store).done(store, key)
    (store.model(key) / "stage.json").unlink()
    assert not models.done(store, key)


# ---------------------------------------------------------------------------- the data card


def test_the_data_is_listened_to_once(run, tmp_path: Path) -> None:
    _, first = run()
    assert [job.data["instruments"] for job in first.surveys] == [["bell", "bow"]]
    card = read_run(tmp_path / "run").corpus["heard"]
    assert list(card["stems"]) == ["bell", "bow"]
    assert run()[1].surveys == []
    _, third = run(tasks=("reed:bow",))
    assert [job.data["instruments"] for job in third.surveys] == [["bell", "bow", "reed"]]


def test_the_same_sound_in_two_splits_ends_a_run(run) -> None:
    twice = Fake()
    twice.card = {"duplicates_across_splits": ["tune0 bell (train) = tune5 bell (test)"]}
    with pytest.raises(BenchError, match="--allow-duplicates"):
        run(executor=twice)
    assert twice.ran == []
    result, allowed = run(executor=twice, limits=Execution(allow_duplicates=True))
    assert result.exit_code == 0 and allowed.kinds == ["train", "train", "evaluate"]


def test_data_that_could_not_be_listened_to_is_told(run, tmp_path: Path) -> None:
    result, _ = run(executor=Fake(listen=Outcome("killed", reason="killed by signal 9")))
    assert result.exit_code == 0
    assert read_run(tmp_path / "run").corpus["heard"] == {"failed": "killed by signal 9"}
    assert len(run()[1].surveys) == 1


@pytest.mark.parametrize("status", ["oom", "timeout", "failed", "killed"])
def test_data_that_could_not_be_listened_to_is_compared_as_files(
    run, tmp_path: Path, corpus_folder: Path, status: str
) -> None:
    """The folder dataset itself leaves out a copy of a whole test track: this is of one stem."""
    shutil.copytree(corpus_folder, tmp_path / "data")
    (trained,), (tested,) = (
        (tmp_path / "data" / "bell").glob(f"{t}.*") for t in ("tune0", "tune5")
    )
    shutil.copyfile(tested, trained)
    deaf = Fake(listen=Outcome(status, reason="it ended"))
    where: dict[str, Any] = {"data_root": str(tmp_path / "data")}
    with pytest.raises(BenchError, match=r"tune0 bell \(train\) = tune5 bell \(test\).*--allow"):
        run(executor=deaf, **where)
    assert deaf.ran == []
    allowed, _ = run(executor=deaf, limits=Execution(allow_duplicates=True), **where)
    assert allowed.exit_code == 0


def test_data_that_cannot_even_be_read_is_no_data_without_duplicates(
    tmp_path: Path, plugins: Registry, config, corpus_folder: Path
) -> None:
    shutil.copytree(corpus_folder, tmp_path / "data")
    plan = make_plan(config("learner", data_root=str(tmp_path / "data")), plugins)
    next((tmp_path / "data" / "bell").glob("tune0.*")).unlink()
    deaf = Fake(listen=Outcome("failed", reason="no such file"))
    told = "No such file or directory.*--allow-duplicates"
    with pytest.raises(BenchError, match=told):
        Runner(plan, Store(tmp_path / "run"), deaf, lambda *_: None, Execution()).run()
    assert deaf.ran == []
