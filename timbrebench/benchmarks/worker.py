"""One job in one process: ``python -m timbrebench.benchmarks.worker JOB.json``.

Events go to the parent as JSON lines on the original standard output; everything that is
printed, by us or by a library, goes to the job's log.
"""

import contextlib
import ctypes
import fcntl
import functools
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from timbrebench.benchmarks.store import FULL, MAKE_ROOM
from timbrebench.core import files
from timbrebench.core.errors import BenchError, one_line
from timbrebench.core.memory import OutOfMemory, is_out_of_memory, phase
from timbrebench.core.overlap import watched
from timbrebench.core.signs import heard

PR_SET_PDEATHSIG = 1
BEAT = 1.0  # seconds between two signs of life that say nothing else


class Events:
    """The way back to the parent."""

    def __init__(self) -> None:
        self.stream = os.fdopen(os.dup(1), "w", buffering=1)
        self.phase, self.told = "start", time.monotonic()

    def __call__(self, event: Mapping[str, Any]) -> None:
        self.told = time.monotonic()
        self.stream.write(json.dumps(dict(event)) + "\n")

    def enter(self, phase_name: str) -> None:
        self.phase = phase_name
        self({"event": "phase", "phase": phase_name})

    def alive(self, *_: int) -> None:
        if time.monotonic() - self.told > BEAT:
            self({"event": "alive"})


def die_with_parent(parent: int) -> None:
    """A killed parent leaves no worker behind (Linux; elsewhere workers end by themselves)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)


def main(path: str) -> int:
    job = files.read_json(Path(path))
    die_with_parent(job["parent"])
    events = Events()
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    with alone(Path(job["folder"]), events):
        if _answered(job):
            return 0
        answer = {"id": job["id"], **_answer(job, events)}
        files.write_json(Path(job["answer"]), answer)
    return 0 if answer["status"] == "ok" else 1


@contextlib.contextmanager
def alone(folder: Path, events: Events) -> Iterator[None]:
    """Holds a job's folder. One that was given up for lost may work there yet, on a machine that
    was cut off: what comes after it waits until it has ended, and goes on from its checkpoint."""
    with (folder / ".lock").open("w") as lock:
        while not _locked(lock):
            if events.phase != "wait":
                events.enter("wait")
            time.sleep(0.2)
            events.alive()
        yield


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answered(job: Mapping[str, Any]) -> bool:
    """Whether one that was given up for lost has done it after all."""
    try:
        return bool(files.read_json(Path(job["answer"]))["id"] == job["id"])
    except (OSError, ValueError, KeyError):
        return False


def _answer(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    try:
        with heard(events.alive), watched(events.alive):
            return {"status": "ok", **JOBS[job["kind"]](job, events)}
    except BenchError as error:
        known = {"phase": events.phase, "reason": str(error)}
        if isinstance(error, OutOfMemory):
            return {"status": "oom", "final": True, **known}
        return {"status": "failed", **known}
    except Exception as error:  # a plugin may raise anything: it ends its own job only
        with contextlib.suppress(OSError):  # the log's disk may be full
            traceback.print_exc()
        if isinstance(error, OSError) and error.errno in FULL:
            reason = f"{error.filename or job['folder']}: {error.strerror}. {MAKE_ROOM}"
            return {"status": "failed", "phase": events.phase, "reason": reason}
        status = "oom" if is_out_of_memory(error) else "failed"
        return {"status": status, "phase": events.phase, "reason": one_line(error)}


# ------------------------------------------------------------------ the kinds of jobs


def index(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """A stranger's corpus, read in a process of its own."""
    from timbrebench.benchmarks.session import open_dataset
    from timbrebench.core import corpora

    events.enter("index")
    dataset = open_dataset(job["data"])
    return {"missing": dataset.missing(), "corpus": corpora.to_json(dataset.corpus())}


def device(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """A CUDA device's name and memory, how many there are and the least memory of these: torch
    tells, so a worker asks."""
    import torch

    from timbrebench.core.devices import cuda_index

    number = cuda_index(job["data"]["device"])
    cards = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
    return {
        "name": cards[number].name,
        "memory": cards[number].total_memory,
        "least": min(card.total_memory for card in cards),
        "count": len(cards),
    }


def prepare(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """What the dataset has to make or fetch."""
    from timbrebench.benchmarks.session import open_dataset

    events.enter("prepare")
    dataset = open_dataset(job["data"])
    dataset.prepare(lambda what, share: events({"event": "progress", "what": what, "share": share}))
    return {"missing": dataset.missing()}


def survey(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """How the instruments of a run sound, and what is there twice."""
    from timbrebench.benchmarks.card import card_of
    from timbrebench.benchmarks.session import corpus_of
    from timbrebench.core.sounding import sounds_of

    events.enter("survey")
    corpus, instruments = corpus_of(job["data"]["dataset"]), job["data"]["instruments"]
    paths = {t.stems[i] for t in corpus.tracks for i in instruments if i in t.stems}
    threads = job["threads"] or os.cpu_count() or 1
    sounds, bad = sounds_of(sorted(paths), threads, _as_progress(events))
    return {"card": card_of(corpus, instruments, sounds, bad)}


def resolve(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """The stages of cells: costs by tracing, whole steps, keys. Each is told as it comes."""
    from timbrebench.benchmarks.resolving import resolve_cells

    events.enter("resolve")
    asked, done = job["data"]["cells"], 0

    def tell(answers: Mapping[str, Any]) -> None:
        nonlocal done
        done += len(answers)
        progress = {"event": "progress", "what": "plan", "share": done / len(asked)}
        events({**progress, "cells": answers})

    resolve_cells(asked, job["data"]["memory"], tell)
    return {}


def calibrate(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """Seconds a step of some stages of a cell, by key, of how many steps each, and why others
    failed."""
    from timbrebench.benchmarks.calibrating import timed_steps
    from timbrebench.benchmarks.limits import enforce
    from timbrebench.benchmarks.session import Session, use_threads
    from timbrebench.core.devices import use_device

    events.enter("calibrate")
    data = job["data"]
    session, found, failed = Session(data["cell"]), dict[str, tuple[float, int]](), {}
    use_device(session.device)
    enforce(data.get("memory", {}), session.device)
    for number, plan in enumerate(data["stages"]):
        share = number / len(data["stages"])
        events({"event": "progress", "what": plan["name"], "share": share})
        use_threads(plan.get("threads") or job["threads"])
        stage, precision = session.stage(plan["name"]), session.cell["precision"]
        try:
            found[plan["key"]] = timed_steps(stage, plan["memory"], precision, session.device)
        except Exception as error:  # of one stage: the others' times stand
            traceback.print_exc()
            failed[plan["key"]] = one_line(error)
    seconds, steps = ({key: each[n] for key, each in found.items()} for n in (0, 1))
    return {"seconds_per_step": seconds, "steps": steps, "failed": failed}


def train(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """One stage, from its checkpoint if it has one; done already, by one that was given up for
    lost, it stays as it is."""
    from timbrebench.benchmarks.limits import enforce, judged
    from timbrebench.benchmarks.session import Session, use_threads
    from timbrebench.benchmarks.store import Store, stage_done
    from timbrebench.core.devices import use_device
    from timbrebench.core.interfaces import StageContext
    from timbrebench.core.training import TrainPlan
    from timbrebench.core.training import train as train_stage

    events.enter("prepare")
    data, folder = job["data"], Path(job["folder"])
    plan = data["stage"]
    if stage_done(Store(folder.parent.parent), plan["key"]):
        return {}
    use_threads(job["threads"])
    session = Session(data["cell"])
    use_device(session.device)
    depends = session.trained(plan["depends"], folder.parent)
    context = StageContext(session.training_corpus, depends, session.device, _as_progress(events))
    limits, way = data["memory"], plan["memory"]
    enforced = enforce(limits, session.device)
    how = TrainPlan(
        plan["steps"],
        session.seed,
        session.training_corpus.fingerprint,
        session.cell["precision"],
        micro_batch=way["micro_batch"],
        recompute=way["recompute"],
        seconds=plan["seconds"],
        checkpoint_seconds=data["checkpoint_seconds"],
        flops_per_example=plan["flops_per_example"],
        threads=job["threads"],
        shared=job.get("shared", False),
    )
    events.enter("train")
    judge = functools.partial(judged, way, limits, enforced)
    train_stage(session.stage(plan["name"]), context, how, folder, events, judge)
    return {}


def evaluate(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """A cell's estimates, unless they are there, then its scores."""
    from timbrebench.benchmarks.estimate import PARTIAL, Estimator
    from timbrebench.benchmarks.limits import enforce, judged
    from timbrebench.benchmarks.scoring import Scorer
    from timbrebench.benchmarks.session import Session, use_threads
    from timbrebench.benchmarks.store import Store, read_or_none
    from timbrebench.core.devices import use_device
    from timbrebench.core.overlap import at_once

    data, folder = job["data"], Path(job["folder"])
    store = Store(folder.parent.parent)
    memory: dict[str, Any] = {}
    use_threads(job["threads"])
    session = Session(data["cell"])
    use_device(session.device)
    enforced = enforce(data["memory"], session.device)  # of scores too, wherever they begin
    outcome = read_or_none(folder / "outcome.json")
    if outcome is None or _all_failed(read_or_none(folder / "estimates.json")):
        shutil.rmtree(folder / "scores", ignore_errors=True)  # of estimates now replaced
        events.enter("estimate")
        way = data["sampling"]
        with phase("estimate", memory), at_once(way["slices"]):
            session.set_up(data["stages"], store.root / "models")
            basis = _basis(session, store, data["stages"])
            record = Estimator(session, store, folder, events, basis).run()
        memory["estimate"] = judged(way, data["memory"], enforced, memory["estimate"])
        outcome = _outcome(record, memory, data["stages"], store, job)
        files.write_json(folder / "outcome.json", outcome)
    (folder / PARTIAL).unlink(missing_ok=True)
    events.enter("score")
    scores = Scorer(session, store, folder, events).run(data["metrics"], outcome)
    return {"scores": scores, "outcome": outcome, **_verdict(folder)}


def time_again(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """A cell's times, taken with nothing else of the run beside it, and the scores of them."""
    from timbrebench.benchmarks.limits import enforce
    from timbrebench.benchmarks.scoring import Scorer
    from timbrebench.benchmarks.session import Session, use_threads
    from timbrebench.benchmarks.store import Store
    from timbrebench.benchmarks.timing import taken_alone, timed_items, timed_steps
    from timbrebench.core.devices import use_device
    from timbrebench.core.overlap import at_once

    events.enter("time")
    data, folder = job["data"], Path(job["folder"])
    store, session = Store(folder.parent.parent), Session(data["cell"])
    outcome = files.read_json(folder / "outcome.json")
    steps = timed_steps(folder, data["timed_stages"])
    use_threads(outcome.get("threads") or job["threads"])
    use_device(session.device)
    enforce(data["memory"], session.device)
    with at_once(outcome["phases"]["estimate"]["slices"]):
        session.set_up(data["stages"], store.root / "models")
        items = timed_items(session, store, folder, events)
    keys = data["stages"].values()
    trained = {key: files.read_json(store.model(key) / "stage.json") for key in keys}
    outcome = taken_alone(outcome, trained, steps, items)
    files.write_json(folder / "outcome.json", outcome)
    events.enter("score")
    scores = Scorer(session, store, folder, events).run(data["metrics"], outcome)
    return {"scores": scores, "outcome": outcome, **_verdict(folder)}


def compare(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """The declared comparisons of a run, from its scores."""
    from timbrebench.benchmarks.comparing import compare_run

    events.enter("compare")
    return {"comparisons": compare_run(Path(job["data"]["root"]))}


def _basis(session: Any, store: Any, stages: Mapping[str, str]) -> str:
    """Hash of what estimates are made with beside the cell: weights and device."""
    records = [files.read_json(store.model(key) / "stage.json") for key in stages.values()]
    return files.digest([session.device, *sorted(record["sha256"] for record in records)])


def _outcome(
    record: Mapping[str, Any],
    memory: Mapping[str, Any],
    stages: Mapping[str, str],
    store: Any,
    job: Mapping[str, Any],
) -> dict[str, Any]:
    """Times, memory and sizes of a cell: its estimates' and its stages' sums, and whether any of
    its times was taken beside other jobs."""
    made = [i for i in record["items"] if i["status"] == "ok"]
    trained = [files.read_json(store.model(key) / "stage.json") for key in stages.values()]
    total = {
        f"train_{name}": sum(s[name] for s in trained) if trained else None
        for name in ("seconds", "flops", "steps", "examples")
    }
    steps, seconds = total["train_steps"], total["train_seconds"]
    phases = {"estimate": memory["estimate"], **{s["name"]: s["memory"] for s in trained}}
    peaks = {
        name: max((p[name] for p in phases.values() if p.get(name)), default=None)
        for name in ("host_peak_rss", "peak_reserved", "planned_bytes")
    }
    return {
        **total,
        "seconds_per_step": seconds / steps if steps else None,
        "examples_per_second": total["train_examples"] / seconds if seconds else None,
        "infer_seconds": sum(i["infer_seconds"] for i in made),
        "vocoder_seconds": sum(i["vocoder_seconds"] for i in made),
        "audio_seconds": sum(i["audio_seconds"] for i in made),
        "peak_rss_bytes": peaks["host_peak_rss"],
        "peak_gpu_bytes": peaks["peak_reserved"],
        "planned_bytes": peaks["planned_bytes"],
        "parameters": _parameters(trained),
        "vocoder": record["vocoder"],
        "chosen": record["chosen"],
        "choosing_seconds": record["choosing_seconds"],
        "phases": phases,
        "threads": job["threads"],
        "shared": job.get("shared", False) or any(s.get("shared") for s in trained),
    }


def _parameters(stages: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """STAGE.COMPONENT → count. A component called as another stage is what that stage trained,
    gone on with, and is counted there."""
    names = {stage["name"] for stage in stages}
    return {
        f"{stage['name']}.{part}": count
        for stage in stages
        for part, count in stage["parameters"].items()
        if part not in names
    }


def _all_failed(estimates: Mapping[str, Any] | None) -> bool:
    """Whether there is nothing to score; what all items lacked may be there the next time."""
    items = estimates.get("items", [{}]) if isinstance(estimates, dict) else [{}]
    statuses = {item.get("status", "failed") for item in items}
    return "failed" in statuses and "ok" not in statuses


def _verdict(folder: Path) -> dict[str, Any]:
    """A cell is ok if it made anything; where all its items failed, so has it."""
    estimates = files.read_json(folder / "estimates.json")
    failed = [i for i in estimates["items"] if i["status"] == "failed"]
    if _all_failed(estimates):
        return {"status": "failed", "phase": "estimate", "reason": failed[0]["reason"]}
    if not failed:
        return {}
    reason = f"{len(failed)} of {len(estimates['items'])} items failed: {failed[0]['reason']}"
    return {"failed_items": len(failed), "reason": reason}


def _as_progress(events: Events) -> Callable[[str, float], None]:
    return lambda what, share: events({"event": "progress", "what": what, "share": share})


JOBS: dict[str, Callable[[Mapping[str, Any], Events], dict[str, Any]]] = {
    "index": index,
    "device": device,
    "prepare": prepare,
    "survey": survey,
    "resolve": resolve,
    "calibrate": calibrate,
    "train": train,
    "evaluate": evaluate,
    "time": time_again,
    "compare": compare,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
