"""The traced peak of methods of ours, against real tensors and torch's own profiler."""

import gc
from pathlib import Path
from typing import Any

import pytest
import torch

from timbrebench.benchmarks.limits import WORKSPACE
from timbrebench.core.footprint import brief_training, training_peak
from timbrebench.core.interfaces import Stage
from timbrebench.core.mel import PRESETS
from timbrebench.core.records import Task
from timbrebench.core.registry import create, registry, values_of
from timbrebench.core.ways import Way, padded
from timbrebench.testing import tiny_corpus

TASKS = {"ddim": Task("generate", "bow"), "double": Task("pair", "bell", "bow")}
LONG = pytest.mark.acceptance
CASES = [
    pytest.param("cross", {"widths": "16/32", "blocks": "1"}, Way(2)),
    pytest.param("cross", {}, Way(2), marks=LONG),
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


def profiled_peak(stage: Stage, way: Way) -> int:
    """The most that was allocated at once, kernels' scratch memory included."""
    gc.collect()  # what went within would count as given back
    cpu = torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[cpu], profile_memory=True) as profile:
        brief_training(stage, way, "fp32")
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
        assert 0.9 * traced < profiled_peak(stage, way_of) <= padded(traced) + WORKSPACE
