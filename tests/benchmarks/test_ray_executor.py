"""Jobs on a real cluster of three nodes in this machine: they end as they do here, and a lost node
costs time only."""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray_clusters import three_nodes

from timbrebench.benchmarks.executors import process, ray_link
from timbrebench.benchmarks.executors.local import LocalExecutor
from timbrebench.benchmarks.executors.node import identity
from timbrebench.benchmarks.executors.ray import (
    RETRIES,
    RayExecutor,
    _signs,
    on_cluster,
    threads_of,
)
from timbrebench.benchmarks.executors.ray_link import Link, checked_address
from timbrebench.benchmarks.jobs import Job, Outcome
from timbrebench.core import files
from timbrebench.core.errors import BenchError

pytest.importorskip("ray", reason="pip install 'timbrebench[ray]'")

HERE = Path(__file__).parent
Heard = list[tuple[str, Mapping[str, Any]]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that takes no jobs, and two nodes of two cores and a GPU that exists by name only."""
    with three_nodes(0, 2, str(HERE), num_gpus=1) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with _signs([tmp_path_factory.mktemp("shared")]) as signs:
        yield signs


@pytest.fixture(scope="module")
def link(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Link]:
    link = Link(cluster.address, tmp_path_factory.mktemp("link") / "log.txt")
    yield link
    link.close()


@pytest.fixture
def executor(
    link: Link, shared: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], RayExecutor]:
    monkeypatch.setattr(process, "WORKER", "strange_jobs")
    monkeypatch.setattr(process, "GRACE", 0.5)
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    return lambda: RayExecutor(link, {"shared": shared, "same": identity()}, 1)


@pytest.fixture
def job(tmp_path: Path):
    def make(do: str, key: str = "", *needs: str, **fields: Any) -> Job:
        limits = ("deadline", "stall", "threads", "gpus", "lower", "alone")
        own = {name: fields.pop(name) for name in limits if name in fields}
        folder = tmp_path / (key or do)
        return Job(key or do, "strange", do, folder, {"do": do, **fields}, needs, **own)

    return make


def run(executor: Any, *jobs: Job, heard: Heard | None = None) -> dict[str, Outcome]:
    events: Heard = [] if heard is None else heard
    ran = executor.run(jobs, lambda job, event: events.append((job.key, event)))
    return {job.key: outcome for job, outcome in ran}


def wait_until(what: Callable[[], Any], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def stripped(outcome: Outcome) -> Outcome:
    """Without what no two orders share."""
    return replace(outcome, answer={k: v for k, v in outcome.answer.items() if k != "id"})


# ---------------------------------------------------------------------------- as they end here


def strange_ends(job: Callable[..., Job]) -> list[Job]:
    lower = ({"size": 4}, {"size": 2})
    return [
        *(job(do) for do in ("refuse", "crash", "fail", "exhaust", "leave", "die")),
        job("exhaust_above", size=8, enough=2, lower=lower),
        job("hang", stall=2.0),
        job("hang_on", deadline=2.0),
        job("answer", "blocked", "crash"),
        job("answer", "after", "exhaust_above", value=[1, "é"]),
    ]


def test_jobs_end_on_nodes_as_they_do_here(job, executor, tmp_path: Path) -> None:
    there, here = Heard(), Heard()
    remote = run(executor(), *strange_ends(job), heard=there)
    assert not list(tmp_path.rglob("*.events.jsonl"))
    local = run(LocalExecutor(2, threads=1), *strange_ends(job), heard=here)
    assert {k: stripped(v) for k, v in remote.items()} == {k: stripped(v) for k, v in local.items()}
    for key in remote:
        told = [[e["event"] for k, e in heard if k == key] for heard in (there, here)]
        assert told[0] == told[1]


def test_gpus_are_never_shared(job, executor, tmp_path: Path) -> None:
    place = str(tmp_path / "place")
    found = run(executor(), *(job("be_counted", key, gpus=1, place=place) for key in "abcd"))
    assert max(out.answer["count"] for out in found.values()) <= 2
    assert {out.answer["gpu"] for out in found.values()} <= {"0", "1"}
    assert {out.status for out in found.values()} == {"ok"}


def test_one_that_has_to_be_alone_comes_last_and_is(job, executor, tmp_path: Path) -> None:
    place = str(tmp_path / "place")
    jobs = [job("be_counted", key, place=place) for key in "ab"]
    jobs.insert(0, job("be_counted", "alone", place=place, alone=True))
    found = run(executor(), *jobs)
    assert (list(found)[-1], found["alone"].answer["count"]) == ("alone", 1)
    told = {key: files.read_json(tmp_path / key / "strange.job.json") for key in found}
    shared = {key: each["shared"] for key, each in told.items()}
    assert shared == {"a": True, "b": True, "alone": False}


def test_it_waits_until_a_whole_node_is_free(job, executor, cluster: Any, tmp_path: Path) -> None:
    """The cluster's other users have a core of each node."""
    other = Link(cluster.address, tmp_path / "log.txt")
    until, diary = tmp_path / "until", tmp_path / "diary"
    busy = [job("finish_once", k, gpus=1, until=str(until), diary=str(diary)) for k in "ab"]
    theirs = RayExecutor(other, executor().must, 1)
    ended: list[str] = []
    worker = threading.Thread(target=lambda: ended.extend(run(theirs, *busy)))
    worker.start()
    wait_until(lambda: diary.exists() and diary.read_text().count("begun") == 2)

    def listen(job: Job, event: Mapping[str, Any]) -> None:
        if event["event"] == "stuck":
            ended.append(event["reason"])
            until.touch()

    ((_, outcome),) = executor().run([job("answer", "alone", alone=True)], listen)
    worker.join()
    other.close()
    assert outcome.status == "ok"
    assert ended[0] == "no node with 2 cores has nothing else to do"
    assert sorted(ended[1:]) == ["a", "b"]


def test_cancelling_stops_what_runs_and_forgets_what_waits(job, executor, tmp_path: Path) -> None:
    running, noted = executor(), [tmp_path / f"{n}.pids" for n in range(6)]
    jobs = [job("leave_a_child", path.stem, pids=str(path), hang=True) for path in noted]
    found = {}

    def listen(job: Job, event: Mapping[str, Any]) -> None:
        if event["event"] == "phase" and sum(path.exists() for path in noted) == 4:
            running.cancel()

    for ended, outcome in running.run(jobs, listen):
        found[ended.key] = outcome.status
    assert len(found) == 4 and set(found.values()) == {"interrupted"}
    begun = [int(word) for path in noted if path.exists() for word in path.read_text().split()]
    wait_until(lambda: not any(map(alive, begun)))
    assert run(executor(), job("answer"))["answer"].status == "ok"


# ---------------------------------------------------------------------------- lost


@pytest.mark.acceptance
def test_a_node_killed_in_the_middle_costs_no_job(
    job, executor, cluster: Any, tmp_path: Path
) -> None:
    until, diaries = tmp_path / "until", {key: tmp_path / f"diary-{key}" for key in "abcd"}
    jobs = [job("finish_once", k, until=str(until), diary=str(d)) for k, d in diaries.items()]
    heard, lost = Heard(), list[str]()

    def listen(job: Job, event: Mapping[str, Any]) -> None:
        heard.append((job.key, event))
        begun = [key for key, diary in diaries.items() if diary.exists()]
        if len(begun) == 4 and not lost:
            keeper = int(diaries[begun[0]].read_text().split()[4])  # the task; its parent the node
            raylet = parent_of(keeper)
            nodes = {n.all_processes["raylet"][0].process.pid: n for n in cluster.worker_nodes}
            lost.extend(
                key
                for key in begun
                if parent_of(int(diaries[key].read_text().split()[4])) == raylet
            )
            cluster.remove_node(nodes[raylet], allow_graceful=False)
        if lost and {key for key, event in heard if event["event"] == "retried"} == set(lost):
            until.touch()

    found = {ended.key: outcome for ended, outcome in executor().run(jobs, listen)}
    cluster.add_node(num_cpus=2, num_gpus=1)
    assert {key: out.status for key, out in found.items()} == dict.fromkeys(diaries, "ok")
    assert len(lost) == 2
    for key, diary in diaries.items():
        words = diary.read_text().split()
        assert words.count("begun") == (2 if key in lost else 1)
        assert words.count("done") == 1


def test_a_job_that_is_lost_again_and_again_ends_as_killed(job, executor) -> None:
    heard = Heard()
    found = run(executor(), job("lose_the_parent"), job("answer"), heard=heard)
    assert found["lose_the_parent"].status == "killed"
    assert f"its node was lost {RETRIES + 1} times" in found["lose_the_parent"].reason
    assert [e["event"] for _, e in heard].count("retried") == RETRIES
    assert found["answer"].status == "ok"


# ---------------------------------------------------------------------------- unfit


def test_nodes_that_do_not_share_or_are_of_another_version_are_refused(
    link: Link, shared: dict[str, str], tmp_path: Path, job, executor
) -> None:
    fit = {"shared": shared, "same": identity()}
    nodes = link.nodes(fit)
    assert sorted((n["cpus"], n["gpus"]) for n in nodes) == [(0, 0), (2, 1), (2, 1)]
    with pytest.raises(BenchError, match=f"does not share {tmp_path}"):
        link.nodes({**fit, "shared": {str(tmp_path): "no such sign"}})
    with pytest.raises(BenchError, match=r"has timbrebench .*, this machine 0"):
        link.nodes({**fit, "same": {"timbrebench": "0"}})
    # A node that joins later is looked at when it gets a job.
    late = executor()
    late.must = {**fit, "shared": {str(tmp_path): "no such sign"}}
    ended = run(late, job("answer"))["answer"]
    assert ended.status == "failed" and "does not share" in ended.reason


def test_an_unfit_node_that_joins_later_costs_no_job(
    cluster: Any, job, executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site" / "another-1.0.dist-info"  # a plugin that this machine has not
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: another\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[timbrebench]\nplugin = another\n")
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=os.pathsep)
        late = cluster.add_node(num_cpus=8)
    heard, runs = Heard(), executor()
    runs.link = Link(cluster.address, tmp_path / "log.txt")  # to which no node is unfit yet
    try:
        found = run(runs, *(job("answer", f"{n}") for n in range(12)), heard=heard)
    finally:
        runs.link.close()
        cluster.remove_node(late)
    assert {outcome.status for outcome in found.values()} == {"ok"}
    told = [event["reason"] for _, event in heard if event["event"] == "retried"]
    assert told and all("has plugins another 1.0" in reason for reason in told)


def test_an_address_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for address in ("", "auto", "local", "ray://here:10001", "here"):
        with pytest.raises(BenchError, match="HOST:PORT"):
            checked_address(address)
    monkeypatch.setenv("RAY_ADDRESS", "there:6379")
    assert checked_address("") == "there:6379"
    assert checked_address("here:1") == "here:1"
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"pip install 'timbrebench\[ray\]'"):
        checked_address("here:1")


def test_an_address_where_no_cluster_is_is_told_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_link, "CONNECT_SECONDS", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with pytest.raises(BenchError, match=r"no Ray cluster took us .* within 3 s"):
            Link(f"127.0.0.1:{port}", tmp_path / "log.txt")
    run = tmp_path / "run"
    with (
        pytest.raises(BenchError, match="no Ray cluster answers"),
        on_cluster(f"127.0.0.1:{port}", run, 1, 1, False),
    ):
        pass
    assert not run.exists()


@pytest.mark.parametrize(
    "jobs, threads, gpu, expected",
    [(0, 0, False, 6), (2, 0, False, 3), (9, 0, False, 1), (0, 0, True, 4), (0, 5, False, 5)],
)
def test_every_job_has_as_many_threads(jobs: int, threads: int, gpu: bool, expected: int) -> None:
    nodes = [{"cpus": c, "gpus": g} for c, g in ((0, 0), (6, 0), (8, 2), (16, 4))]
    assert threads_of(nodes, jobs, threads, gpu) == expected


def test_what_no_node_has_is_refused() -> None:
    with pytest.raises(BenchError, match="has a GPU"):
        threads_of([{"cpus": 4, "gpus": 0}], 1, 0, True)
    with pytest.raises(BenchError, match="largest node has 4"):
        threads_of([{"cpus": 4, "gpus": 0}], 1, 5, False)
