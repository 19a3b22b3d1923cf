"""Plans of memory at the papers' sizes: docs/results/memory-plans.md.

    python benchmarks/memory_plans.py             # plans and real steps: 15 minutes or so, 8 GiB
    python benchmarks/memory_plans.py --no-real   # plans alone: five minutes or so

Runs ``bench plan`` for budgets of 4, 8 and 12 GiB, in float32 and in bf16, no GPU needed. Then each
model does on real tensors what was traced, under the same counter and under torch's profiler: a
step in the parts that the smallest budget plans, where these need 10 GiB at most; one example by
example, with activations kept where the planned ones are recomputed, and the other way round; and
sampling.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from timbrebench.benchmarks.environment import describe
from timbrebench.benchmarks.limits import WORKSPACE
from timbrebench.core.footprint import sampling_peak, training_peak
from timbrebench.core.interfaces import Stage
from timbrebench.core.mel import PRESETS
from timbrebench.core.records import Task
from timbrebench.core.registry import create, registry, values_of
from timbrebench.core.ways import Way, padded
from timbrebench.testing import tiny_corpus

RESULT = Path(__file__).parents[1] / "docs" / "results" / "memory-plans.md"
METHODS = ("ldm", "palette", "cross", "double", "ddim", "regress")
SHARED = {"double": "double (cross's models)"}  # trained once, for both
BUDGETS = ("4GiB", "8GiB", "12GiB")
PRECISIONS = ("fp32", "bf16")
PLANNED_TASKS = "clarinet:strings,generate:strings,pair:strings/piano"
TASKS = {"ddim": Task("generate", "bow"), "double": Task("pair", "bow", "reed")}
PART = 1  # examples at once
SLICES = 8  # that a network answers at once where samples are made
MOST = 10 * 2**30  # bytes that real tensors may take here

Cells = Sequence[Mapping[str, Any]]


# ---------------------------------------------------------------------------- plans


def planned(precision: str) -> tuple[dict[str, Cells], str]:
    """Budget → the cells of a plan, and how long planning took."""
    by_budget: dict[str, Cells] = {}
    took = []
    for budget in BUDGETS:
        started = time.monotonic()
        by_budget[budget] = plan(budget, precision)
        took.append(f"{time.monotonic() - started:.0f} s at {budget}")
    told = f"Planning took {', '.join(took)}, on {os.cpu_count()} cores, nothing traced before."
    return by_budget, told


def plan(budget: str, precision: str) -> Cells:
    """On the CPU, for a GPU: in bf16 with the operations in float32 that it keeps so."""
    words = ["--methods", ",".join(METHODS), "--no-controls", "--preset", "paper", "--json"]
    where = ["--tasks", PLANNED_TASKS, "--device", "cpu", "--precision", precision]
    command = [sys.executable, "-m", "timbrebench", "plan", *words, *where, "--gpu-memory", budget]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "TIMBREBENCH_CACHE": cache}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    if not done.stdout:
        sys.exit(f"bench plan at {budget} told nothing.")
    return json.loads(done.stdout)["cells"]


def table_of(by_budget: Mapping[str, Cells]) -> Iterator[str]:
    """A row a model, and one for sampling: the largest parts that fit, by budget."""
    yield row_of(["method", "model", "batch", *by_budget])
    yield row_of(["---", "---", *["---:"] * (1 + len(by_budget))])
    for cells in zip(*by_budget.values(), strict=True):
        name = SHARED.get(cells[0]["method"], cells[0]["method"])
        known = max(cells, key=lambda cell: len(cell["stages"]))  # of those that fit at all
        for number, model in enumerate(known["stages"]):
            told = [_training(cell, number) for cell in cells]
            yield row_of([name, model, str(known["batch"][number]), *told])
        yield row_of([name, "sampling", str(SLICES), *map(_sampling, cells)])


def _training(cell: Mapping[str, Any], number: int) -> str:
    if number >= len(cell["memory"]):
        return str(cell["reason"])
    memory, batch = cell["memory"][number], cell["batch"][number]
    return _parts(memory["micro_batch"], batch, memory["recompute"], memory["planned_bytes"])


def _sampling(cell: Mapping[str, Any]) -> str:
    sampling = cell["sampling"]
    if not sampling:
        return str(cell["reason"])
    return _parts(sampling["slices"], SLICES, False, sampling["planned_bytes"])


def _parts(size: int, whole: int, recompute: bool, bytes_: int) -> str:
    parts = "whole" if size == whole else f"{whole // size}×{size}"
    again = ", recomputed" if recompute else ""
    return f"{parts}{again}: {bytes_ / 2**30:.1f} GiB"


def row_of(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


# ---------------------------------------------------------------------------- real tensors


def measured(plans: Cells) -> Iterator[str]:
    """A row for each thing that is done: traced, counted on real tensors, profiled, planned; in
    MiB."""
    yield row_of(["method", "model", "what", "traced", "real tensors", "profiler", "planned"])
    yield row_of(["---", "---", "---", *["---:"] * 4])
    for name in METHODS:
        if name in SHARED:
            continue
        every = stages(name)
        for number, stage in enumerate(every if name == "ldm" else every[:1]):
            for way in ways_of(plans, name, number):
                told = f"{way.micro_batch} at once{', recomputed' if way.recompute else ''}"
                needed = [other for other in every if other.name in stage.depends]
                found = compared(
                    lambda fake, s=stage, w=way, of=needed: training_peak(
                        s, w, depends=of, fake=fake
                    )
                )
                yield row_of([name, stage.name, told, *found])
        found = compared(lambda fake, of=every: sampling_peak(of, SLICES, fake=fake))
        yield row_of([name, "sampling", f"{SLICES} slices", *found])


def ways_of(plans: Cells, name: str, number: int) -> list[Way]:
    """The planned way, and example by example in the other kind; in both kinds where no way is
    planned that can be held here."""
    parts = [Way(PART, recompute) for recompute in (False, True)]
    [cell] = [cell for cell in plans if cell["method"] == name]
    for memory in cell["memory"][number : number + 1]:
        if memory["planned_bytes"] <= MOST:
            way = Way(memory["micro_batch"], memory["recompute"])
            return [*(part for part in parts if part.recompute != way.recompute), way]
    return parts


def compared(peak_of: Callable[[bool], int]) -> list[str]:
    """``peak_of`` the trace (True) and of real tensors (False)."""
    traced = peak_of(True)
    real, profiled = profiled_peak(lambda: peak_of(False))
    return [f"{n / 2**20:.0f}" for n in (traced, real, profiled, padded(traced) + WORKSPACE)]


def stages(name: str) -> list[Stage]:
    """Of a method as the preset ``paper`` has it."""
    entry = registry().find("method", name)
    values = values_of(entry, entry.info.presets.get("paper", {}))
    method = create(entry, values, PRESETS[str(values.get("mel", entry.info.mel))])
    corpus = tiny_corpus(Path(tempfile.mkdtemp()))
    return list(method.stages(corpus, [TASKS.get(name, Task("transfer", "bell", "bow"))]))


def profiled_peak(work: Callable[[], int]) -> tuple[int, int]:
    """(what the work tells, the most that was allocated at once, kernels' scratch memory
    included)."""
    gc.collect()  # what went within would count as given back
    cpu = torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[cpu], profile_memory=True) as profile:
        told = work()
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    total = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        total += event.nbytes()
        peak = max(peak, total)
    return told, peak


# ---------------------------------------------------------------------------- the page


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--real", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--result", type=Path, default=RESULT, help="page to write")
    given = parser.parse_args()
    lines = [
        "# Memory at the papers' sizes",
        "",
        "Written by `python benchmarks/memory_plans.py` on a machine without a GPU: "
        f"torch {describe()['packages']['torch']}.",
        "",
        "`bench plan --preset paper --gpu-memory BUDGET`: parts of a batch that are held at once,",
        "and the peak that is planned, a tenth and 64 MiB above the trace; of sampling the slices",
        "that a network answers at once.",
    ]
    plans: dict[str, dict[str, Cells]] = {}
    for precision in PRECISIONS:
        plans[precision], took = planned(precision)
        lines += ["", f"## Plans in {precision}", "", *table_of(plans[precision]), "", took]
        given.result.write_text("\n".join(lines) + "\n")
    if given.real:
        lines += [
            "",
            "## Traces against real tensors",
            "",
            "In float32 and MiB: steps with so many examples at once, a model's last with those of",
            f"its plan at {BUDGETS[0]}, and sampling. The profiler's figure has kernels' scratch",
            "memory in it; planned is what `bench plan` would say. double has cross's models.",
            "",
        ]
        for line in measured(plans["fp32"][BUDGETS[0]]):
            lines.append(line)
            given.result.write_text("\n".join(lines) + "\n")  # of what is done, if time ends here
            print(line, flush=True)
    print(f"Written: {given.result}")


if __name__ == "__main__":
    main()
