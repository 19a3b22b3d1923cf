"""Sampling options chosen on validation tracks: how much to change, where more change costs notes.

Each candidate converts a few validation tracks. It is judged by the sum of two errors, both 0 for
the target itself: the timbre's, FAD(logmel) against the target's training tracks as a share of
what the unchanged source has (so copying has 1), and the content's, the pitch Jaccard distance
(0 to 1). Test tracks are never looked at.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from timbrebench.benchmarks import measure
from timbrebench.benchmarks.making import RATE, Maker
from timbrebench.benchmarks.session import Session
from timbrebench.benchmarks.tasks import items_of
from timbrebench.core.records import Clip, Task, Track
from timbrebench.core.signs import alive

TRACKS, SECONDS = 6, 8.0  # of validation that a candidate is judged on
TIMBRE, CONTENT = "fad_logmel", "jaccard_melodia16k"
RULE = f"least {TIMBRE} relative to the source's + {CONTENT}, on validation tracks"

Report = Callable[[Mapping[str, Any]], None]


def choose(session: Session, maker: Maker, task: Task, report: Report) -> dict[str, Any]:
    """The values of the session's open options for a task, and what each candidate came to.

    Where there is no validation track, or no candidate can be judged, the middle candidates are
    taken, and the record says so.
    """
    names = list(session.to_choose)
    middle = {name: values[len(values) // 2] for name, values in session.to_choose.items()}
    tracks = items_of(task, session.corpus, "valid")[:TRACKS]
    if not tracks:
        return {"values": middle, "rule": "no validation track: the middle", "tried": []}
    judge, reason = measure.ask(Judge, session, task, tracks)
    if judge is None:
        return {"values": middle, "rule": f"{reason}: the middle", "tried": []}
    candidates = [dict(zip(names, v, strict=True)) for v in product(*session.to_choose.values())]
    tried: list[dict[str, Any]] = []
    for number, values in enumerate(candidates):
        session.use(values)
        errors, reason = measure.ask(_errors, maker, judge, task, tracks)
        tried.append({**values, **(errors or {"reason": reason})})
        share = (number + 1) / len(candidates)
        report({"event": "progress", "what": f"choosing for {task.name}", "share": share})
    judged = [row for row in tried if "sum" in row]
    best = min(judged, key=lambda row: row["sum"], default=middle)
    return {
        "values": {name: best[name] for name in names},
        "rule": RULE if judged else "no candidate could be judged: the middle",
        "tried": tried,
        "tracks": [track.id for track in tracks],
    }


def _errors(maker: Maker, judge: "Judge", task: Task, tracks: Sequence[Track]) -> dict[str, float]:
    times = {"infer_seconds": 0.0, "vocoder_seconds": 0.0}
    return judge([maker.transfer(task, track, SECONDS, times) for track in tracks])


class Judge:
    """The errors of a task's estimates on some tracks."""

    def __init__(self, session: Session, task: Task, tracks: Sequence[Track]) -> None:
        corpus = session.corpus
        self.timbre, self.content = measure.with_defaults(TIMBRE), measure.with_defaults(CONTENT)
        self.targets, _ = session.references(task.target, RATE)
        sources = [corpus.load(t.id, task.source, RATE, SECONDS) for t in tracks]
        self.references = [
            corpus.load(t.id, task.target, RATE, SECONDS)
            if t.pairs(task.source, task.target)
            else source
            for t, source in zip(tracks, sources, strict=True)
        ]
        self.copied = max(self._timbre(sources), 1e-9)

    def __call__(self, estimates: Sequence[Clip]) -> dict[str, float]:
        timbre = self._timbre(estimates)
        pairs = zip(self.references, estimates, strict=True)
        content = float(np.mean([self._content(*pair) for pair in pairs]))
        return {TIMBRE: timbre, CONTENT: content, "sum": timbre / self.copied + content}

    def _content(self, reference: Clip, estimate: Clip) -> float:
        alive()
        return float(self.content.measure(reference, estimate)[CONTENT])

    def _timbre(self, clips: Sequence[Clip]) -> float:
        values, _ = self.timbre.measure(self.targets, clips)
        return values[TIMBRE]
