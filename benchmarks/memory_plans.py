"""Plans of memory at the papers' sizes: docs/results/memory-plans.md.

    python benchmarks/memory_plans.py             # traces and real steps; some 15 minutes, 8 GiB
    python benchmarks/memory_plans.py --no-real   # traces alone; a minute or two

Runs ``bench plan`` for budgets of 4, 8 and 12 GiB, no GPU needed. Then one model of each method
does what was traced on real tensors too, with parts of two examples, under the same counter and
under torch's profiler.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from timbrebench.benchmarks.environment import describe
from timbrebench.benchmarks.limits import WORKSPACE
from timbrebench.core.footprint import brief_training, training_peak
from timbrebench.core.interfaces import Stage
from timbrebench.core.mel import PRESETS
from timbrebench.core.records import Task
from timbrebench.core.registry import create, registry, values_of
from timbrebench.core.ways import Way, padded
from timbrebench.testing import tiny_corpus

RESULT = Path(__file__).parents[1] / "docs" / "results" / "memory-plans.md"
METHODS = ("ldm", "palette", "cross", "double", "ddim", "regress")
BUDGETS = ("4GiB", "8GiB", "12GiB")
TASKS = {"ddim": Task("generate", "bow"), "double": Task("pair", "bow", "reed")}
PART = Way(2)


# ---------------------------------------------------------------------------- plans


def plans() -> list[str]:
    """The largest parts that fit, by budget, and how long a plan took."""
    by_budget, took = {}, []
    for budget in BUDGETS:
        started = time.monotonic()
        by_budget[budget] = plan(budget)
        took.append(f"{time.monotonic() - started:.0f} s at {budget}")
    lines = [["method", "model", "batch", *BUDGETS], ["---"] * 2 + ["---:"] * (1 + len(BUDGETS))]
    for index, cell in enumerate(by_budget[BUDGETS[-1]]):
        for number, name in enumerate(cell["stages"]):
            if number == 0 or cell["batch"][number] != cell["batch"][number - 1]:
                cells = [by_budget[budget][index] for budget in BUDGETS]
                told = [_told(each, number) for each in cells]
                lines.append([cell["method"], name, str(cell["batch"][number]), *told])
    table = [f"| {' | '.join(line)} |" for line in lines]
    line = f"Planning took {', '.join(took)}, on {os.cpu_count()} cores, nothing traced before."
    return [*table, "", line]


def plan(budget: str) -> list[dict[str, Any]]:
    tasks = "clarinet:strings,generate:strings,pair:strings/piano"
    words = ["--methods", ",".join(METHODS), "--no-controls", "--preset", "paper", "--json"]
    command = [sys.executable, "-m", "timbrebench", "plan", *words, "--tasks", tasks]
    words = [*command, "--gpu-memory", budget]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "TIMBREBENCH_CACHE": cache}
        done = subprocess.run(words, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout)["cells"]


def _told(cell: Mapping[str, Any], number: int) -> str:
    if number >= len(cell["memory"]):
        return str(cell["reason"])
    memory, batch = cell["memory"][number], cell["batch"][number]
    size = memory["micro_batch"]
    parts = "whole" if size == batch else f"{batch // size}×{size}"
    again = ", recomputed" if memory["recompute"] else ""
    return f"{parts}{again}: {memory['planned_bytes'] / 2**30:.1f} GiB"


# ---------------------------------------------------------------------------- real tensors


def measured() -> Iterator[str]:
    """A row a stage: traced, counted on real tensors, profiled, planned; in MiB."""
    yield "| method | model | traced | real tensors | profiler | planned |"
    yield "|---|---|---:|---:|---:|---:|"
    for name in METHODS:
        for stage in stages(name)[:2]:
            if name != "double":  # it trains cross's models
                traced = training_peak(stage, PART)
                real = training_peak(stage, PART, fake=False)
                found = [traced, real, profiled_peak(stage), padded(traced) + WORKSPACE]
                yield f"| {name} | {stage.name} | {' | '.join(f'{n / 2**20:.0f}' for n in found)} |"


def stages(name: str) -> list[Stage]:
    """Of a method as the preset ``paper`` has it."""
    entry = registry().find("method", name)
    values = values_of(entry, entry.info.presets.get("paper", {}))
    method = create(entry, values, PRESETS[str(values.get("mel", entry.info.mel))])
    corpus = tiny_corpus(Path(tempfile.mkdtemp()))
    return list(method.stages(corpus, [TASKS.get(name, Task("transfer", "bell", "bow"))]))


def profiled_peak(stage: Stage) -> int:
    """The most that was allocated at once, kernels' scratch memory included."""
    gc.collect()  # what went within would count as given back
    cpu = torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[cpu], profile_memory=True) as profile:
        brief_training(stage, PART, "fp32")
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    total = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        total += event.nbytes()
        peak = max(peak, total)
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--real", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--result", type=Path, default=RESULT, help="page to write")
    given = parser.parse_args()
    machine = describe()
    lines = [
        "# Memory at the papers' sizes",
        "",
        "Written by `python benchmarks/memory_plans.py` on a machine without a GPU: "
        f"torch {machine['packages']['torch']}, fp32.",
        "",
        "## Plans",
        "",
        "`bench plan --preset paper --gpu-memory BUDGET`: parts of a batch that are held at once,",
        "and the peak that is planned, a tenth and 64 MiB above the trace.",
        "",
        *plans(),
    ]
    if given.real:
        lines += [
            "",
            "## Traces against real tensors",
            "",
            f"Steps in parts of {PART.micro_batch} examples, in MiB. The profiler's figure has",
            "kernels' scratch memory in it; planned is what `bench plan` would say.",
            "",
            *measured(),
        ]
    given.result.write_text("\n".join(lines) + "\n")
    print(f"Written: {given.result}")


if __name__ == "__main__":
    main()
