"""What the kinds of jobs do in their worker: a job's record to its answer. Each loads what it needs
itself, so that a light one stays light."""

import functools
import os
import shutil
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from timbrebench.benchmarks.outcomes import all_failed, basis_of, outcome_of, verdict
from timbrebench.core import files
from timbrebench.core.errors import one_line
from timbrebench.core.memory import phase

if TYPE_CHECKING:
    from timbrebench.benchmarks.session import Session
    from timbrebench.benchmarks.store import Store


class Events(Protocol):
    """The way back to the parent."""

    def __call__(self, event: Mapping[str, Any]) -> None: ...

    def enter(self, phase_name: str) -> None: ...


# ------------------------------------------------------------------ before the cells


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
    from timbrebench.core.compiled import compile_librosa
    from timbrebench.core.sounding import sounds_of

    events.enter("survey")
    compile_librosa()  # the last job of a run that has nothing beside it
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


# ------------------------------------------------------------------ of the cells


def calibrate(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """Seconds a step of some stages of a cell, by key, of how many steps each, and why others
    failed."""
    from timbrebench.benchmarks.calibrating import timed_steps
    from timbrebench.benchmarks.session import use_threads

    events.enter("calibrate")
    data, found, failed = job["data"], dict[str, tuple[float, int]](), {}
    session, _ = _opened(job)
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
    from timbrebench.benchmarks.limits import judged
    from timbrebench.benchmarks.store import Store, stage_done
    from timbrebench.core.interfaces import StageContext
    from timbrebench.core.training import TrainPlan
    from timbrebench.core.training import train as train_stage

    events.enter("prepare")
    data, folder = job["data"], Path(job["folder"])
    plan = data["stage"]
    if stage_done(Store(folder.parent.parent), plan["key"]):
        return {}
    session, enforced = _opened(job)
    depends = session.trained(plan["depends"], folder.parent)
    context = StageContext(session.training_corpus, depends, session.device, _as_progress(events))
    way = plan["memory"]
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
    judge = functools.partial(judged, way, data["memory"], enforced)
    train_stage(session.stage(plan["name"]), context, how, folder, events, judge)
    return {}


def evaluate(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """A cell's estimates, unless they are there, then its scores."""
    from timbrebench.benchmarks import forms
    from timbrebench.benchmarks.estimate import PARTIAL, Estimator
    from timbrebench.benchmarks.finished import remove_damaged
    from timbrebench.benchmarks.limits import judged
    from timbrebench.benchmarks.store import Store
    from timbrebench.core.overlap import at_once

    data, folder = job["data"], Path(job["folder"])
    store = Store(folder.parent.parent)
    memory: dict[str, Any] = {}
    session, enforced = _opened(job)  # scores too are made within the limit
    lacks = remove_damaged(store, folder.name)
    outcome = forms.read(folder / "outcome.json", forms.OUTCOME)
    made = forms.read(folder / "estimates.json", forms.ESTIMATES)
    if lacks or outcome is None or made is None or all_failed(made):
        shutil.rmtree(folder / "scores", ignore_errors=True)  # of estimates now replaced
        events.enter("estimate")
        way = data["sampling"]
        with phase("estimate", memory), at_once(way["slices"]):
            session.set_up(data["stages"], store.root / "models")
            basis = basis_of(session, store, data["stages"])
            record = Estimator(session, store, folder, events, basis).run()
        memory["estimate"] = judged(way, data["memory"], enforced, memory["estimate"])
        outcome = outcome_of(record, memory, data["stages"], store, job)
        files.write_json(folder / "outcome.json", outcome)
    (folder / PARTIAL).unlink(missing_ok=True)
    return _scored(job, session, store, outcome, events)


def time_again(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """A cell's times, taken with nothing else of the run beside it, and the scores of them."""
    from timbrebench.benchmarks.store import Store
    from timbrebench.benchmarks.timing import taken_alone, timed_items, timed_steps
    from timbrebench.core.overlap import at_once

    events.enter("time")
    data, folder = job["data"], Path(job["folder"])
    store, outcome = Store(folder.parent.parent), files.read_json(folder / "outcome.json")
    steps = timed_steps(folder, data["timed_stages"])
    session, _ = _opened(job, outcome.get("threads", 0))
    with at_once(outcome["phases"]["estimate"]["slices"]):
        session.set_up(data["stages"], store.root / "models")
        items = timed_items(session, store, folder, events)
    keys = data["stages"].values()
    trained = {key: files.read_json(store.model(key) / "stage.json") for key in keys}
    outcome = taken_alone(outcome, trained, steps, items)
    files.write_json(folder / "outcome.json", outcome)
    return _scored(job, session, store, outcome, events)


def compare(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """The declared comparisons of a run, from its scores."""
    from timbrebench.benchmarks.comparing import compare_run

    events.enter("compare")
    return {"comparisons": compare_run(Path(job["data"]["root"]))}


def rehearse(job: Mapping[str, Any], events: Events) -> dict[str, Any]:
    """What scoring takes of memory."""
    from timbrebench.benchmarks.rehearsing import rehearsed

    events.enter("rehearse")
    return {**rehearsed(job["data"]["metrics"], job["data"]["seconds"])}


def _opened(job: Mapping[str, Any], threads: int = 0) -> tuple["Session", str]:
    """The job's cell, and what keeps this process to its limits of memory: from here on it computes
    on the cell's device, with so many threads, or with those of the job."""
    from timbrebench.benchmarks.limits import enforce
    from timbrebench.benchmarks.session import Session, use_threads
    from timbrebench.core.devices import use_device

    use_threads(threads or job["threads"])
    session = Session(job["data"]["cell"])
    use_device(session.device)
    return session, enforce(job["data"].get("memory", {}), session.device)


def _scored(
    job: Mapping[str, Any],
    session: "Session",
    store: "Store",
    outcome: Mapping[str, Any],
    events: Events,
) -> dict[str, Any]:
    """The answer of a cell whose estimates are there."""
    from timbrebench.benchmarks.finished import sizes
    from timbrebench.benchmarks.scoring import Scorer

    folder = Path(job["folder"])
    events.enter("score")
    scorer = Scorer(session, store, folder, events)
    scores = scorer.run(job["data"]["metrics"], outcome)
    there = sizes(store, folder.name, session.cell["references"], scorer.items, scores)
    return {"scores": scores, "outcome": outcome, "files": there, **verdict(folder)}


def _as_progress(events: Events) -> Callable[[str, float], None]:
    return lambda what, share: events({"event": "progress", "what": what, "share": share})


JOBS: dict[str, Callable[[Mapping[str, Any], Events], dict[str, Any]]] = {
    "index": index,
    "device": device,
    "prepare": prepare,
    "survey": survey,
    "resolve": resolve,
    "rehearse": rehearse,
    "calibrate": calibrate,
    "train": train,
    "evaluate": evaluate,
    "time": time_again,
    "compare": compare,
}
