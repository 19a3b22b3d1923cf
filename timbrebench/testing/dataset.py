"""``check_dataset``: whether a dataset keeps its contract."""

import json
import re

from timbrebench.core.interfaces import Dataset
from timbrebench.core.records import KINDS, SPLITS, Corpus, Task, Track
from timbrebench.testing.problems import Problems

TRACKS = 3  # of a corpus that are decoded
UNEQUAL = 0.25  # seconds by which the recordings of a track may differ in length


def check_dataset(dataset: Dataset) -> None:
    """Prepares a dataset if it has to be, and checks its index and some of its audio.

    AssertionError with all that is wrong. Prepare a large corpus beforehand, or give options
    that make it small.
    """
    problems = Problems(f"dataset '{type(dataset).__name__}'")
    with problems.attempt("the dataset"):
        _check_preparation(problems, dataset)
        corpus = dataset.corpus()
        problems.expect(corpus == dataset.corpus(), "corpus differs between two calls")
        _check_index(problems, corpus)
        for task in {t for tasks in corpus.groups.values() for t in tasks}:
            _check_task(problems, corpus, task)
        for track in corpus.tracks[:TRACKS]:
            _check_track(problems, corpus, track)
    problems.report()


def _check_preparation(problems: Problems, dataset: Dataset) -> None:
    shares: list[float] = []
    dataset.prepare(lambda what, share: shares.append(share))
    within = all(0 <= share <= 1 for share in shares)
    problems.expect(within, "prepare reports a progress outside 0..1")
    problems.expect(not dataset.missing(), f"after prepare it misses: {dataset.missing()}")
    dataset.prepare(lambda what, share: None)  # a second time must do no harm
    problems.expect(not dataset.missing(), "prepare, called twice, loses data")


def _check_index(problems: Problems, corpus: Corpus) -> None:
    problems.expect(corpus.name, "the corpus has no name")
    problems.expect(corpus.fingerprint, "the corpus has no fingerprint")
    problems.expect(corpus.tracks, "the corpus has no tracks")
    ids = [track.id for track in corpus.tracks]
    problems.expect(len(set(ids)) == len(ids), "two tracks share an id")
    for track in corpus.tracks:
        told = f"track '{track.id}'"
        problems.expect(track.split in SPLITS, f"{told} is in no split of {', '.join(SPLITS)}")
        problems.expect(track.stems, f"{told} has no stems")
        unplayed = set(track.parts) - set(track.stems)
        problems.expect(not unplayed, f"{told} has parts for {unplayed}, but no stems")
    for name in corpus.instruments:
        plain = re.fullmatch(r"[^\s:,/;=\[\]@]+", name)
        problems.expect(plain, f"the instrument '{name}' cannot be written in a task's name")
    with problems.attempt("writing its notes as JSON"):
        json.dumps(dict(corpus.notes))
    offered = any(corpus.groups.values())
    problems.expect(offered, "the corpus offers no tasks")


def _check_task(problems: Problems, corpus: Corpus, task: Task) -> None:
    problems.expect(task.kind in KINDS, f"task '{task.name}' is of no kind of {', '.join(KINDS)}")
    for part in (task, *task.parts):
        ends = {part.a, part.b} - {""}
        unknown = ends - set(corpus.instruments)
        problems.expect(not unknown, f"task '{task.name}' names {unknown}, which no track has")


def _check_track(problems: Problems, corpus: Corpus, track: Track) -> None:
    import numpy as np

    from timbrebench.core import audio

    seconds = []
    for instrument, path in track.stems.items():
        told = f"'{track.id}' by {instrument}"
        with problems.attempt(f"reading {told}"):
            _, rate, _ = audio.probe(path)
            problems.expect(
                rate == corpus.rate, f"{told} has {rate} Hz where the corpus says {corpus.rate}"
            )
            clip = corpus.load(track.id, instrument, corpus.rate)
            problems.expect(np.isfinite(clip.samples).all(), f"{told} holds NaN")
            seconds.append(clip.seconds)
    if not seconds:
        return
    told = f"track '{track.id}'"
    problems.expect(
        max(seconds) - min(seconds) <= UNEQUAL, f"the recordings of {told} differ in length"
    )
    if track.seconds:
        near = abs(track.seconds - min(seconds)) <= UNEQUAL
        problems.expect(near, f"{told} says {track.seconds:.2f} s and has {min(seconds):.2f} s")
