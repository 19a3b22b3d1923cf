"""Jobs in processes: however one ends, the others go on and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from timbrebench.benchmarks.executors import process
from timbrebench.benchmarks.executors.local import LocalExecutor
from timbrebench.benchmarks.executors.process import Start, WorkerProcess, attend
from timbrebench.benchmarks.jobs import Job, Outcome

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def strange_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WORKER", "strange_jobs")
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    monkeypatch.setattr(process, "GRACE", 0.5)


class Heard:
    """A listener that keeps what it heard."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []

    def __call__(self, job: Job, event: Mapping[str, Any]) -> None:
        self.events.append((job.key, event))

    def started(self) -> list[str]:
        return [key for key, event in self.events if event["event"] == "started"]


@pytest.fixture
def job(tmp_path: Path):
    """Makes a job that does what is named."""

    def make(do: str, key: str = "", *needs: str, **fields: Any) -> Job:
        limits = ("deadline", "stall", "threads", "gpus", "alone")
        own = {name: fields.pop(name) for name in limits if name in fields}
        folder = tmp_path / (key or do)
        data = {"do": do, **fields}
        return Job(key or do, "strange", do, folder, data, needs, **own)

    return make


def outcomes(*jobs: Job, at_once: int = 1, listen: Any = None) -> dict[str, Outcome]:
    executor = LocalExecutor(at_once)
    return {job.key: out for job, out in executor.run(jobs, listen or Heard())}


def alive(pid: int) -> bool:
    """A zombie, which waits for its new parent to notice, is not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until(what, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


# ---------------------------------------------------------------------------- how jobs end


def test_an_answer_comes_back(job, tmp_path: Path) -> None:
    heard = Heard()
    done = outcomes(job("answer", value=[1, "é"], threads=3), listen=heard)["answer"]
    assert (done.status, done.answer["value"]) == ("ok", [1, "é"])
    assert done.answer["threads"] == "3"
    assert done.log_tail == ""
    assert [e["event"] for _, e in heard.events] == ["started", "phase"]
    assert "said by the job" in (tmp_path / "answer" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("at_once", "alone", "shared"), [(1, False, False), (2, False, True), (2, True, False)]
)
def test_a_worker_is_told_whether_others_are_beside_it(
    job, tmp_path: Path, at_once: int, alone: bool, shared: bool
) -> None:
    outcomes(job("answer", alone=alone), at_once=at_once)
    told = json.loads((tmp_path / "answer" / "strange.job.json").read_text())
    assert told["shared"] is shared


# What it does: its status, what its reason says, what its log's tail says.
ENDS = {
    "refuse": ("failed", "it cannot be done. Do another thing.", ""),
    "crash": ("failed", "ValueError: a plugin's own", "Traceback"),
    "fail": ("failed", "all of its items failed", ""),
    "exhaust": ("oom", "MemoryError", "Traceback"),
    "exhaust_torch": ("oom", "can't allocate memory", "Traceback"),
    "exhaust_a_library": ("oom", "out of memory (cannot allocate memory for", "ABORT"),
    "leave": ("failed", "the process ended with code 3 and no answer", ""),
    "die": ("killed", "the process was ended by SIGKILL", ""),
}


def test_each_end_has_its_status_and_the_rest_goes_on(job) -> None:
    found = outcomes(*(job(do) for do in ENDS), job("answer"))
    assert found["answer"].status == "ok"
    for do, (status, reason, tail) in ENDS.items():
        assert found[do].status == status
        assert reason in found[do].reason
        assert "\n" not in found[do].reason
        assert tail in found[do].log_tail
        assert found[do].phase == ("estimate" if do == "fail" else "strange")
    assert len(found["crash"].log_tail.splitlines()) == process.TAIL


@pytest.mark.parametrize(
    ("number", "memory", "status", "told"),
    [
        (signal.SIGSEGV, {"gpu": None, "host": 1 << 30}, "oom", "SIGSEGV within its limit of mem"),
        (signal.SIGBUS, {"gpu": None, "host": 1 << 30}, "oom", "SIGBUS within its limit of memory"),
        (signal.SIGSEGV, {"gpu": 1 << 30, "host": None}, "killed", "ended by SIGSEGV"),
        (signal.SIGSEGV, None, "killed", "ended by SIGSEGV"),
        (signal.SIGKILL, {"gpu": None, "host": 1 << 30}, "killed", "ended by SIGKILL"),
        (signal.SIGRTMIN + 6, None, "killed", f"ended by signal {signal.SIGRTMIN + 6}"),
    ],
)
def test_what_a_signal_that_ended_it_means(
    job, number: int, memory: Any, status: str, told: str
) -> None:
    """A library that got no memory, and did not look, ends the process by a fault."""
    found = outcomes(job("die", signal=int(number), memory=memory))["die"]
    assert found.status == status and told in found.reason


@pytest.mark.parametrize("enough, status, tried", [(8, "ok", 1), (2, "ok", 3), (0, "oom", 4)])
def test_out_of_memory_is_tried_again_with_less_in_a_fresh_process(
    job, enough: int, status: str, tried: int
) -> None:
    heard = Heard()
    lower = tuple({"size": size} for size in (4, 2, 1))
    first = replace(job("exhaust_above", size=8, enough=enough), lower=lower)
    after = job("answer", "after", "exhaust_above")
    found = outcomes(first, after, listen=heard)
    assert (found["exhaust_above"].status, found["after"].status) == (status, status)
    assert heard.started().count("exhaust_above") == tried
    assert [e["event"] for _, e in heard.events].count("lowered") == tried - 1
    if status == "ok":
        assert found["exhaust_above"].answer["size"] == (8 if tried == 1 else 2)


def test_where_no_way_takes_less_none_is_tried(job) -> None:
    heard = Heard()
    found = outcomes(replace(job("exhaust_anyhow"), lower=({"size": 1},)), listen=heard)
    ended = found["exhaust_anyhow"]
    assert (ended.status, ended.reason) == ("oom", "it needs it all.")
    assert heard.started() == ["exhaust_anyhow"]


def test_the_tail_is_of_this_run(job, tmp_path: Path) -> None:
    outcomes(job("crash", "same"))
    found = outcomes(job("leave", "same"))["same"]
    assert "Traceback" not in found.log_tail
    assert "Traceback" in (tmp_path / "same" / "log.txt").read_text()


def test_an_old_answer_is_not_taken_for_a_new_one(job) -> None:
    assert outcomes(job("answer", "same"))["same"].status == "ok"
    assert outcomes(job("die", "same"))["same"].status == "killed"


@pytest.mark.parametrize("do", ["hang", "hang_on"])
def test_a_deadline_ends_a_job(job, do: str) -> None:
    found = outcomes(job(do, deadline=1.0, beats=1))[do]
    assert (found.status, found.phase) == ("timeout", "strange")
    assert found.reason == "it did not end within 1 s"


def test_silence_ends_a_job_and_signs_of_life_do_not(job) -> None:
    found = outcomes(job("hang", stall=1.5), job("answer", beats=25, stall=1.5), at_once=2)
    assert found["hang"].reason == "it gave no sign of life for 1.5 s"
    assert found["answer"].status == "ok"


def test_a_part_of_the_work_may_give_the_signs(job) -> None:
    heard = Heard()
    found = outcomes(job("breathe", times=40, stall=2.5), listen=heard)
    assert found["breathe"].status == "ok"
    told = [event["event"] for _, event in heard.events]
    assert 2 <= told.count("alive") < 10  # not each of them


# ---------------------------------------------------------------------------- order


def test_a_job_waits_for_its_needs(job) -> None:
    heard = Heard()
    jobs = [job("answer", "c", "a", "b"), job("answer", "b", "a"), job("answer", "a")]
    found = outcomes(*jobs, at_once=3, listen=heard)
    assert heard.started() == ["a", "b", "c"]
    assert list(found) == ["a", "b", "c"]


def test_a_need_that_is_no_job_of_the_run_is_met(job) -> None:
    assert outcomes(job("answer", "a", "done long ago"))["a"].status == "ok"


def test_a_failed_need_is_the_end_of_all_that_need_it(job) -> None:
    heard = Heard()
    jobs = [job("crash", "a"), job("answer", "b", "a"), job("answer", "c", "b"), job("answer", "d")]
    found = outcomes(*jobs, listen=heard)
    assert found["a"] == found["b"] == found["c"]
    assert found["d"].status == "ok"
    assert heard.started() == ["a", "d"]


def test_jobs_run_at_once_up_to_the_number(job, tmp_path: Path) -> None:
    doors = [str(tmp_path / name) for name in ("one", "two")]
    pair = [
        job("meet", "a", own=doors[0], other=doors[1]),
        job("meet", "b", own=doors[1], other=doors[0]),
    ]
    assert {out.status for out in outcomes(*pair, at_once=2).values()} == {"ok"}


def test_one_at_a_time_is_one_at_a_time(job) -> None:
    seen: list[str] = []
    jobs = [job("answer", "a"), job("answer", "b")]
    for ended, _ in LocalExecutor(1).run(jobs, lambda job, event: seen.append(job.key)):
        seen.append(f"{ended.key} ended")
    assert seen == ["a", "a", "a ended", "b", "b", "b ended"]


def test_one_that_has_to_be_alone_is_and_comes_last(job, tmp_path: Path) -> None:
    """Of all that can start: what needs it comes after it. The others are two at a time."""
    heard, place = Heard(), str(tmp_path / "place")
    jobs = [
        job("be_counted", "first", place=place, alone=True),
        job("be_counted", "second", place=place, alone=True),
        job("be_counted", "after", "first", place=place),
        *(job("be_counted", key, place=place) for key in "abc"),
    ]
    found = outcomes(*jobs, at_once=2, listen=heard)
    assert heard.started()[3:] == ["first", "after", "second"]
    counts = {key: out.answer["count"] for key, out in found.items()}
    assert [counts[key] for key in ("first", "after", "second")] == [1, 1, 1]
    assert max(counts[key] for key in "abc") == 2


def test_jobs_at_once_have_gpus_of_their_own(job, tmp_path: Path) -> None:
    place = str(tmp_path / "place")
    jobs = [job("be_counted", key, gpus=1, place=place) for key in "abcd"]
    jobs.append(job("be_counted", "e", place=place))
    executor, free = LocalExecutor(2, gpus=("3", "GPU-5")), {"3", "GPU-5"}
    taken: dict[str, str] = {}
    for ended, outcome in executor.run(jobs, Heard()):
        taken[ended.key] = outcome.answer["gpu"]
    assert {taken["a"], taken["b"]} == {taken["c"], taken["d"]} == free
    assert taken["e"] == os.environ.get("CUDA_VISIBLE_DEVICES")


def test_a_worker_waits_for_one_that_was_given_up_for_lost(job, tmp_path: Path) -> None:
    """Two of one job at once, as where a node was cut off and goes on."""
    until, diary = tmp_path / "until", tmp_path / "diary"
    same = job("finish_once", "same", until=str(until), diary=str(diary))
    first, second = (WorkerProcess(same, Start("one order", 1)) for _ in range(2))
    told: list[Mapping[str, Any]] = []
    while not any(event.get("phase") == "wait" for event in told):
        attend([first, second], lambda job, event: told.append(event))
    until.touch()
    while not (first.ended and second.ended):
        attend([w for w in (first, second) if not w.ended], lambda job, event: None)
    assert [w.outcome().status for w in (first, second)] == ["ok", "ok"]
    assert [line.split()[0] for line in diary.read_text().splitlines()] == ["begun", "done"]


def test_to_wait_is_no_silence_and_no_work(job, tmp_path: Path) -> None:
    """A worker waits for as long as it has to, whatever its limits are."""
    until = tmp_path / "until"
    same = job("finish_once", "same", until=str(until), diary=str(tmp_path / "diary"))
    first = WorkerProcess(same, Start("one order", 1))
    wait_until((tmp_path / "diary").exists)
    limited = replace(same, stall=2.5, deadline=2.5)
    second = WorkerProcess(limited, Start("another", 1))
    told: list[Mapping[str, Any]] = []
    while [event["event"] for event in told].count("alive") < 4 and not second.ended:
        attend([second], lambda job, event: told.append(event))
    until.touch()
    while not (first.ended and second.ended):
        attend([w for w in (first, second) if not w.ended], lambda job, event: None)
    assert second.outcome().status == "ok"


# ---------------------------------------------------------------------------- nothing is left


def pids(path: Path) -> list[int]:
    wait_until(path.exists)
    return [int(word) for word in path.read_text().split()]


def test_cancelling_stops_the_whole_process_group(job, tmp_path: Path) -> None:
    executor, noted = LocalExecutor(1), tmp_path / "pids"
    jobs = [job("leave_a_child", pids=str(noted), hang=True), job("answer")]

    def listen(job: Job, event: Mapping[str, Any]) -> None:
        if event["event"] == "phase":
            wait_until(noted.exists)
            executor.cancel()

    found = [(j.key, out.status) for j, out in executor.run(jobs, listen)]
    assert found == [("leave_a_child", "interrupted")]
    wait_until(lambda: not any(map(alive, pids(noted))))


def test_a_deadline_leaves_no_orphan_that_heeds_no_term(job, tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    found = outcomes(job("hold_on", pids=str(noted), deadline=2.0), job("answer"))
    assert (found["hold_on"].status, found["answer"].status) == ("timeout", "ok")
    wait_until(lambda: not any(map(alive, pids(noted))))


def test_leaving_the_loop_stops_the_workers(job, tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    jobs = [job("leave_a_child", "a", pids=str(noted), hang=True), job("answer")]
    run = LocalExecutor(2).run(jobs, Heard())
    assert next(run)[0].key == "answer"
    both = pids(noted)
    run.close()
    wait_until(lambda: not any(map(alive, both)))


def test_what_a_job_left_running_is_stopped(job, tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    found = outcomes(job("leave_a_child", pids=str(noted)))
    assert found["leave_a_child"].status == "ok"
    wait_until(lambda: not any(map(alive, pids(noted))))


RUN_ONE = """
import sys
from pathlib import Path
from timbrebench.benchmarks.executors import local, process
from timbrebench.benchmarks.jobs import Job

process.WORKER = "strange_jobs"
data = {"do": sys.argv[3], "pids": sys.argv[2], "hang": True}
job = Job("a", "strange", "a", Path(sys.argv[1]), data)
list(local.LocalExecutor().run([job], lambda job, event: None))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
@pytest.mark.parametrize("do", ["leave_a_child", "fork_a_child"])
def test_a_killed_parent_leaves_no_worker_and_its_child_keeps_nobody_waiting(
    job, tmp_path: Path, do: str
) -> None:
    """A worker's own children outlive it, until its job is done again."""
    noted = tmp_path / "pids"
    words = [sys.executable, "-c", RUN_ONE, str(tmp_path / "same"), str(noted), do]
    parent = subprocess.Popen(words)
    worker, child = pids(noted)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not alive(worker))
    assert alive(child)
    heard = Heard()
    assert outcomes(job("answer", "same"), listen=heard)["same"].status == "ok"
    assert "wait" not in [event.get("phase") for _, event in heard.events]
    wait_until(lambda: not alive(child))


def test_all_that_hang_are_stopped_at_once(job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that they get to end by themselves is one time for all of them."""
    jobs = [job("hang_on", key) for key in "abcd"]
    workers = [WorkerProcess(each, Start(each.key, 1)) for each in jobs]
    told: list[Mapping[str, Any]] = []
    while [event.get("phase") for event in told].count("strange") < len(workers):
        attend(workers, lambda job, event: told.append(event))
    waited: list[float] = []
    wait = subprocess.Popen.wait

    def counted(process: "subprocess.Popen[bytes]", timeout: float | None = None) -> int:
        waited.append(timeout or 0.0)
        return wait(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", counted)
    process.stop(workers, "interrupted")
    assert all(worker.ended for worker in workers)
    assert sum(waited[: len(workers)]) < 1.5 * process.GRACE  # the TERMs' turn


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_worker_whose_parent_is_gone_already_ends() -> None:
    """The parent may have any number: in a container it is 1."""
    program = "from timbrebench.benchmarks.worker import die_with_parent\nimport os, sys\n"
    program += "die_with_parent(os.getppid() + int(sys.argv[1])); sys.exit(7)"
    codes = [subprocess.call([sys.executable, "-c", program, n]) for n in ("0", "1")]
    assert codes == [7, 1]
