"""What scoring takes of memory, by a rehearsal on noise: metrics run whatever library they like,
and no trace would see it. Light above, a worker's below."""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from timbrebench.benchmarks.apart import run_apart
from timbrebench.benchmarks.plan import Plan
from timbrebench.benchmarks.records import metric_record
from timbrebench.benchmarks.store import read_or_none
from timbrebench.core import files
from timbrebench.core.errors import BenchError
from timbrebench.core.signs import alive
from timbrebench.core.ways import NeedsMore, padded

DEADLINE = 600.0  # seconds
LOOK = 0.01  # seconds between two looks at how much there is
CLIPS = 4  # estimates that a set metric is given
SAMPLE = 4  # bytes of a sample of a reference that is held


def check_scoring(plan: Plan, limit: int) -> NeedsMore | None:
    """Why no cell of a plan could be scored within a limit of bytes; None where each can."""
    least = scoring_bytes(plan)
    return NeedsMore("scoring", least) if least > limit else None


def scoring_bytes(plan: Plan) -> int:
    """Bytes of data that a job needs to score a cell of a plan: all that its process has, a tenth
    more, and the references that sets are held against. Rehearsed once, and kept."""
    items = [t.seconds for t in plan.corpus.tracks_of("test")]
    seconds = min(max(items, default=0.0), plan.config.max_seconds or float("inf"))
    data = {"metrics": [metric_record(metric) for metric in plan.metrics], "seconds": seconds}
    path = files.cache_root() / "plans" / f"scoring-{files.digest([data, _code(plan)])}.json"
    known = read_or_none(path)
    if not isinstance(known, dict):
        outcome = run_apart("rehearse", data, DEADLINE)
        if outcome.status != "ok":
            raise BenchError(f"what scoring takes could not be tried: {outcome.reason}")
        known = {name: outcome.answer[name] for name in ("bytes", "rate")}
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time alone
            files.write_json(path, known)
    return padded(known["bytes"]) + round(_longest_references(plan) * known["rate"]) * SAMPLE


def _longest_references(plan: Plan) -> float:
    """Seconds of the training tracks of one instrument."""
    tracks = plan.corpus.tracks_of("train")
    names = {name for track in tracks for name in track.stems}
    return max((sum(t.seconds for t in tracks if n in t.stems) for n in names), default=0.0)


def _code(plan: Plan) -> list[Any]:
    return [files.digest_of_files([Path(__file__)]), [metric.code for metric in plan.metrics]]


# ---------------------------------------------------------------------------- in a worker


def rehearsed(metrics: Sequence[Mapping[str, Any]], seconds: float) -> dict[str, int]:
    """Bytes that each metric has taken at the most on noise of an item's length, and the highest
    rate of one. What it cannot measure of noise, or without its weights, it took no memory for."""
    from timbrebench.benchmarks import measure
    from timbrebench.benchmarks.limits import settle

    settle()
    rate = 0
    with _peak() as peak:
        for choice in metrics:
            alive()
            chosen = measure.chosen_metric(choice)
            rate = max(rate, chosen.entry.info.rate)
            metric, _ = measure.ask(measure.create_metric, chosen)
            if metric is not None and not measure.missing(metric):
                measure.ask(_try, chosen.entry.info, metric, seconds)
    return {"bytes": max(peak), "rate": rate}


def _try(info: Any, metric: Any, seconds: float) -> None:
    import numpy as np

    from timbrebench.core.records import Clip

    def noise(number: int) -> Clip:
        rng = np.random.default_rng(number)
        samples = 0.1 * rng.standard_normal(round(seconds * info.rate), np.float32)
        return Clip(samples, info.rate, track=str(number))

    if info.kind == "pair":
        metric.measure(noise(0), noise(1))
    elif info.kind == "set":
        made = [noise(number) for number in range(CLIPS)]
        metric.measure([noise(CLIPS), *made], made)


@contextlib.contextmanager
def _peak() -> Iterator[list[int]]:
    """The most data that this process had within the block, looked at now and then."""
    from timbrebench.core.memory import own_data

    seen, over = [own_data() or 0], threading.Event()

    def look() -> None:
        while not over.wait(LOOK):
            seen[0] = max(seen[0], own_data() or 0)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()
