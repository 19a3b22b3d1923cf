"""The traced peak of methods of ours, against real tensors and torch's own profiler."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from timbrebench.benchmarks.limits import WORKSPACE
from timbrebench.core.footprint import (
    brief_sampling,
    brief_training,
    sampling_peak,
    training_peak,
)
from timbrebench.core.interfaces import Stage
from timbrebench.core.mel import PRESETS
from timbrebench.core.records import Task
from timbrebench.core.registry import OURS, create, registry, values_of
from timbrebench.core.ways import Way, padded
from timbrebench.testing import tiny_corpus

TASKS = {"ddim": Task("generate", "bow"), "double": Task("pair", "bell", "bow")}
LONG = pytest.mark.acceptance
PUBLISHED = {"variant": "published"}
SMALL = {"widths": "16/32"}
QUICK: list[tuple[str, dict[str, Any], Way]] = [
    ("cross", SMALL, Way(2)),
    ("palette", SMALL, Way(2)),
    ("palette", SMALL, Way(2, recompute=True)),
    ("regress", SMALL, Way(2)),
    ("ldm", {"widths": "32/64", "autoencoder_width": "8"}, Way(2)),
    ("ddim", SMALL | {"seconds": "1.28"}, Way(2)),
    ("double", SMALL, Way(2)),
]
CASES = [
    *QUICK,
    pytest.param("cross", {}, Way(2), marks=LONG),
    pytest.param("cross", PUBLISHED | {"widths": "64/128/128", "frames": "64"}, Way(2), marks=LONG),
    pytest.param("palette", PUBLISHED | {"widths": "64/128/256"}, Way(2), marks=LONG),
    pytest.param("ddim", PUBLISHED, Way(2), marks=LONG),
    pytest.param("palette", {}, Way(2), marks=LONG),
    pytest.param("palette", {}, Way(8), marks=LONG),
    pytest.param("palette", {}, Way(2, recompute=True), marks=LONG),
    pytest.param("regress", {}, Way(8), marks=LONG),
    pytest.param("ldm", {}, Way(32), marks=LONG),
    pytest.param("ldm", {"variant": "published"}, Way(16), marks=LONG),
    pytest.param("ddim", {}, Way(8), marks=LONG),
    pytest.param("double", {}, Way(4, recompute=True), marks=LONG),
]


def stages(name: str, given: dict[str, Any], folder: Path) -> list[Stage]:
    entry = registry().find("method", name)
    values = values_of(entry, given)
    method = create(entry, values, PRESETS[str(values.get("mel", entry.info.mel))])
    task = TASKS.get(name, Task("transfer", "bell", "bow"))
    return list(method.stages(tiny_corpus(folder), [task]))


def profiled_peak(work: Callable[[], None]) -> int:
    """The most that was allocated at once, kernels' scratch memory included."""
    gc.collect()  # what went within would count as given back
    cpu = torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[cpu], profile_memory=True) as profile:
        work()
    events = profile.profiler.kineto_results.events()  # type: ignore[union-attr]
    memory = [e for e in events if e.name() == "[memory]"]
    total = peak = 0
    for event in sorted(memory, key=lambda e: e.start_ns()):
        total += event.nbytes()
        peak = max(peak, total)
    return peak


@pytest.mark.parametrize(("name", "given", "way"), CASES)
def test_the_plan_is_what_is_taken(
    name: str, given: dict[str, Any], way: Way, tmp_path: Path
) -> None:
    for stage in stages(name, given, tmp_path):
        way_of = Way(min(way.micro_batch, stage.recipe.batch_size), way.recompute)
        traced = training_peak(stage, way_of)
        assert traced == pytest.approx(training_peak(stage, way_of, fake=False), rel=0.01)
        profiled = profiled_peak(lambda s=stage, w=way_of: brief_training(s, w, "fp32"))
        assert 0.9 * traced < profiled <= padded(traced) + WORKSPACE


SAMPLED = [
    *((name, given, 2) for name, given, way in QUICK if not way.recompute),
    *(pytest.param(*case.values[:2], 8, marks=LONG) for case in CASES[len(QUICK) :]),
]


@pytest.mark.parametrize(("name", "given", "slices"), SAMPLED)
def test_the_plan_of_sampling_is_what_is_taken(
    name: str, given: dict[str, Any], slices: int, tmp_path: Path
) -> None:
    every = stages(name, given, tmp_path)
    traced = sampling_peak(every, slices)
    assert traced == pytest.approx(sampling_peak(every, slices, fake=False), rel=0.01)
    profiled = profiled_peak(lambda: brief_sampling(every, slices))
    assert 0.9 * traced < profiled <= padded(traced) + WORKSPACE


def test_every_method_that_trains_is_tried() -> None:
    trains = {e.name for e in registry().of("method") if e.distribution == OURS and e.info.trains}
    assert {name for name, *_ in QUICK} == trains
