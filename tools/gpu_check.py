"""Checks budgets of memory on a real GPU: docs/results/gpu-check.md.

    python tools/gpu_check.py                         # on a machine with timbrebench and a GPU
    python tools/gpu_check.py pack --have numpy,scipy # elsewhere: wheels for a GPU machine
    python tools/gpu_check.py --device cpu --preset quick   # a look whether it works

Three things are done by ``bench run``: every method takes a few steps at 4, 8 and 12 GiB, and the
plan of each model is set beside the allocator's peak; a method that hides what it takes breaches
its budget and is backed off; and each method trains for a given time.

A GPU machine that reaches no network needs Python and torch, a copy of this checkout, and what
``pack`` downloaded (.gpu-check/wheels): the check installs from there what the machine lacks, into
a folder of its own.
"""

import argparse
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / ".gpu-check"
WHEELS, SITE = HERE / "wheels", HERE / "site"
RESULT = ROOT / "docs" / "results" / "gpu-check.md"
TASKS = "clarinet:strings,generate:strings,pair:strings/piano"
# Of each method a model or two; nothing is chosen on validation tracks, which takes long.
METHODS = (
    "ldm[start_noise=0.5;guidance=1]",
    "palette",
    "cross[k=250]",
    "double",
    "ddim[steps=20]",
    "regress",
)
# Few tracks, which are made on the machine: what is checked is memory, not quality.
CORPUS = ("-o", "starlet.pieces=16", "-o", "starlet.valid_pieces=2", "-o", "starlet.test_pieces=2")
HOARD = 2**28  # bytes that the hoarder takes for each example


# ---------------------------------------------------------------------------- what is carried


def pack(have: Sequence[str], python: str) -> None:
    """Downloads wheels of what timbrebench needs beside torch, but for what the machine has."""
    WHEELS.mkdir(parents=True, exist_ok=True)
    wanted = [n for n in needs() if name_of(n) not in {name_of(h) for h in have}]
    glibc = [f"manylinux_2_{minor}_x86_64" for minor in range(39, 16, -1)]
    platforms = [w for p in (*glibc, "manylinux2014_x86_64") for w in ("--platform", p)]
    where = ["--only-binary=:all:", "--python-version", python, "--implementation", "cp"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(WHEELS)]
    if subprocess.run([*pip, *where, *platforms, *wanted]).returncode:
        sys.exit(f"Not every package has a wheel for Python {python}, or is reached from here.")
    size = sum(path.stat().st_size for path in WHEELS.iterdir())
    print(f"{len(wanted)} packages, {size >> 20} MiB, in {WHEELS}.")


def needs() -> list[str]:
    """NAME==VERSION of all that timbrebench needs here beside torch, and of diffusers, which the
    published cross needs."""
    found: dict[str, str] = {}
    waiting = ["timbrebench", "diffusers"]
    while waiting:
        name = name_of(waiting.pop())
        if name in found or name == "torch":  # which brings what belongs to the GPU
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform or Python
        found[name] = distribution.version
        waiting += [r for r in distribution.requires or [] if "extra ==" not in r]
    return [f"{name}=={found[name]}" for name in sorted(found) if name != "timbrebench"]


def name_of(requirement: str) -> str:
    """The normalised name of a distribution."""
    found = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def install() -> dict[str, str]:
    """Makes timbrebench and the hoarder importable, with what was packed and is not here; the
    environment in which they are."""
    SITE.mkdir(parents=True, exist_ok=True)
    here = {name_of(d.metadata["Name"] or "") for d in importlib.metadata.distributions()}
    wheels = [w for w in WHEELS.glob("*.whl") if name_of(w.name.split("-")[0]) not in here]
    if wheels:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        subprocess.run([*pip, "--upgrade", "--target", SITE, *wheels], check=True)
    if "timbrebench" not in here:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        register("timbrebench", project["entry-points"]["timbrebench"])
    (SITE / "hoarder.py").write_text(HOARDER)
    register("hoarder", {"hoarder": "hoarder"})
    known = os.environ.get("PYTHONPATH")
    paths = [str(ROOT), str(SITE), *([known] if known else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def register(name: str, plugins: Mapping[str, str]) -> None:
    """What pip would have left, so that plugins are found."""
    folder = SITE / f"{name}-0.1.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    lines = [f"{key} = {module}" for key, module in plugins.items()]
    (folder / "entry_points.txt").write_text("\n".join(["[timbrebench]", *lines, ""]))


HOARDER = textwrap.dedent(f'''\
    """A method that takes memory which no trace sees."""

    from timbrebench.core.hookspecs import hookimpl
    from timbrebench.core.interfaces import Method, MethodInfo, Recipe, Stage


    class HoardingStage(Stage):
        def build(self):
            import torch

            return torch.nn.Linear(1, 1)

        def specimen(self, batch):
            import torch

            return {{"x": torch.zeros(batch, 1)}}

        def prepare(self, context):
            return {{}}

        def example(self, rng, split):
            import numpy as np

            return {{"x": np.float32(rng.standard_normal(1))}}

        def loss(self, module, batch):
            import torch
            from torch._subclasses.fake_tensor import FakeTensor

            x = batch["x"]
            if not isinstance(x, FakeTensor):
                hoard = torch.ones(len(x) * {HOARD}, dtype=torch.uint8, device=x.device)
                x = x + 0.0 * hoard[: len(x), None]
            return {{"loss": module(x).square().mean()}}


    class Hoarder(Method):
        def stages(self, corpus, tasks):
            return [HoardingStage("hoard", {{}}, Recipe(batch_size=8, valid_examples=0))]

        def transfer(self, clips, task, styles, rngs):
            return list(clips)


    @hookimpl
    def timbrebench_methods():
        return [MethodInfo("hoarder", "hides what it takes", "hoarder:Hoarder", mel="")]
''')


# ---------------------------------------------------------------------------- what is checked


class Check:
    """Runs into one folder, and the lines of the page about them."""

    def __init__(self, given: argparse.Namespace, env: Mapping[str, str]) -> None:
        self.given, self.env = given, dict(env)
        self.gpu = given.device != "cpu"
        self.budget = "--gpu-memory" if self.gpu else "--host-memory"

    def run(self, name: str, *words: str) -> Path:
        """``bench run`` into a folder. What fails is told by its own statuses."""
        out = self.given.out / name
        fixed = ["--dataset", "starlet", "--no-controls", "--metrics", "fad_logmel,mel_l1"]
        machine = ["--device", self.given.device, "--out", str(out)]
        command = [sys.executable, "-m", "timbrebench", "run", *fixed, *machine, *words]
        print("$ bench", *command[3:], flush=True)
        subprocess.run(command, env=self.env)
        return out

    def plans(self) -> Iterator[str]:
        """Every method at every budget for a few steps: planned against taken."""
        yield from ("", "## Plan and peak", "")
        taken = "allocated | reserved" if self.gpu else "resident | "
        yield f"| budget | method | model | batch | planned MiB | {taken} | within |"
        yield "|---:|---|---|---:|---:|---:|---:|---|"
        steps = ["--preset", self.given.preset, "--steps", "8", "--max-seconds", "3"]
        for budget in self.given.budgets.split(","):
            names = ",".join(METHODS)
            what = ["--methods", names, "--tasks", TASKS, *CORPUS, *steps, self.budget, budget]
            for cell in cells(self.run(f"plan-{budget}", *what)):
                if cell["status"] != "ok":
                    yield f"| {budget} | {cell['label']} | {ended(cell)} |||||"
                for model, memory in cell["phases"].items():
                    yield f"| {budget} | {cell['label']} | {model} | {self.row(memory)} |"

    def row(self, memory: Mapping[str, Any]) -> str:
        size = memory.get("micro_batch", memory.get("slices"))
        again = ", recomputed" if memory.get("recompute") else ""
        took = ["peak_allocated", "peak_reserved"] if self.gpu else ["host_peak_rss", ""]
        peaks = [memory.get("planned_bytes"), *(memory.get(name) for name in took)]
        within = {True: "yes", False: "NO", None: "not enforced"}[memory["within_budget"]]
        return " | ".join([f"{size}{again}", *map(mebibytes, peaks), within])

    def breach(self) -> Iterator[str]:
        """A method that hides what it takes: enforced, and backed off from."""
        budget = f"{(3 * HOARD >> 20) + 400}MiB"  # three examples and what a process has itself
        words = ["--methods", "hoarder", "--tasks", "clarinet:strings", "--steps", "4"]
        made = self.run("breach", *words, *CORPUS, "--max-seconds", "3", self.budget, budget)
        yield from ("", "## A breach", "")
        yield f"A method takes {HOARD >> 20} MiB an example that no trace sees, of {budget}."
        yield ""
        for cell in cells(made):
            for model, memory in cell["phases"].items():
                if "micro_batch" in memory:
                    times, size = memory.get("lowered", 0), memory["micro_batch"]
                    yield (
                        f"`{model}` ended `{cell['status']}` at a micro-batch of {size} of 8, "
                        f"{times} times backed off; enforced by: {memory['enforced']}."
                    )
            if cell["status"] != "ok":
                yield f"It ended {ended(cell)}"

    def training(self) -> Iterator[str]:
        """Each method for a given time."""
        budget = self.given.budgets.split(",")[-1]
        names = ",".join([*METHODS, "copy", "oracle"])
        words = ["--methods", names, "--tasks", TASKS, "--preset", self.given.preset]
        words += [word for option in self.given.option for word in ("-o", option)]
        time = ["--train-time", self.given.train_time]
        made = self.run("train", *words, *time, self.budget, budget)
        yield from ("", f"## {self.given.train_time} of training each", "")
        yield "| method | steps | examples a second | FAD log-mel by task | peak MiB |"
        yield "|---|---:|---:|---|---:|"
        for cell in cells(made):
            yield f"| {' | '.join(self.trained(cell))} |"

    def trained(self, cell: Mapping[str, Any]) -> list[str]:
        """A line on how a cell trained, or why it did not."""
        if cell["status"] != "ok":
            return [cell["label"], ended(cell), "", "", ""]
        outcome = cell["outcome"]
        fads = [
            f"{row['task']} {row['value']:.3g}"
            for row in cell["scores"]
            if row["metric"] == "fad_logmel" and row["status"] == "ok" and not row["item"]
        ]
        speed = outcome.get("examples_per_second")
        peak = outcome.get("peak_gpu_bytes" if self.gpu else "peak_rss_bytes")
        told = [outcome.get("train_steps"), f"{speed:.3g}" if speed else None]
        numbers = [str(each) if each else "" for each in told]
        return [cell["label"], *numbers, "; ".join(fads), mebibytes(peak)]


def cells(run: Path) -> list[dict[str, Any]]:
    """Label, status, reason, outcome, phases and rows of scores of each cell that a run shows;
    one that was not reached is pending."""
    shown = read(run / "run.json").get("cells", {})
    if not shown:
        nothing = {"status": "failed", "reason": "bench run left no run.json: see what it printed"}
        return [cell_of(run, {"label": "no cell"}, nothing)]
    found = []
    for key in dict.fromkeys(shown.values()):
        folder = run / "cells" / key
        found.append(cell_of(folder, read(folder / "cell.json"), read(folder / "result.json")))
    return found


def cell_of(folder: Path, cell: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    outcome = result.get("outcome", {})
    files = [folder / "scores" / name for name in result.get("scores", [])]
    return {
        "label": cell.get("label", folder.name).partition("[")[0],
        "status": result.get("status", "pending"),
        "reason": result.get("reason", "it was not reached"),
        "outcome": outcome,
        "phases": outcome.get("phases", {}),
        "scores": [row for file in files for row in read(file, [])],
    }


def read(path: Path, otherwise: Any = None) -> Any:
    """What a file of JSON holds; something empty where it is not there, or damaged."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {} if otherwise is None else otherwise


def ended(cell: Mapping[str, Any]) -> str:
    """How a cell ended, for a column of a table."""
    return f"`{cell['status']}`: {cell['reason'].replace('|', '/')}"


def mebibytes(count: float | None) -> str:
    return "" if count is None else f"{count / 2**20:.0f}"


def machine(device: str) -> str:
    import torch

    if device == "cpu":
        return f"the CPU of this machine, torch {torch.__version__}"
    found = torch.cuda.get_device_properties(device)
    memory = found.total_memory / 2**30
    return f"{found.name}, {memory:.0f} GiB, torch {torch.__version__}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("do", nargs="?", choices=["check", "pack"], default="check")
    parser.add_argument("--have", default="", help="pack: what the machine has, comma list")
    parser.add_argument("--python", default="3.12", help="pack: the machine's Python")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--budgets", default="4GiB,8GiB,12GiB")
    parser.add_argument("--train-time", default="60s", help="of each method")
    parser.add_argument("-o", "--option", action="append", default=[], help="of that training")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu-check"), help="run folders")
    parser.add_argument("--result", type=Path, default=RESULT, help="page to write")
    given = parser.parse_args()
    if given.do == "pack":
        pack(given.have.split(","), given.python)
        return
    check = Check(given, install())
    command = " ".join(["python tools/gpu_check.py", *sys.argv[1:]])
    lines = ["# Budgets of memory on a GPU", ""]
    lines.append(f"Written by `{command}` on {machine(given.device)}.")
    for part in (check.plans, check.breach, check.training):
        lines += part()
        given.result.write_text("\n".join(lines) + "\n")  # of what is done, if time ends here
    print(f"Written: {given.result}")


if __name__ == "__main__":
    main()
