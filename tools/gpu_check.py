"""Checks budgets of memory on a real GPU: docs/results/gpu-check.md.

    python tools/gpu_check.py                         # on a machine with timbrebench and a GPU
    python tools/gpu_check.py pack --have numpy,scipy # elsewhere: wheels for a GPU machine
    python tools/gpu_check.py --device cpu --preset quick   # a look whether it works
    python tools/gpu_check.py --only breach,plans     # the parts that are asked for, in their order

Three things are done by ``bench run``: a method that hides what it takes breaches its budget and is
backed off; every method takes a few steps at 8, 4 and 12 GiB, and the plan of each model is set
beside the allocator's peak; and each method trains for a given time. The page is written after
each run, so that what is done stands there if time ends. The exit code is 1 where the allocator's
peak exceeds its plan.

How long, by reckoning and not measured, on an H200 with 16 cores: installing and the corpus 1
minute; the breach 1; each of three budgets 3 (half a minute of tracing, some eight models and six
cells in processes of 5 to 15 seconds each); training 2, and 20 seconds for each model: 16 minutes
in all. Where a call may take 10 minutes: ``--only breach,plans --budgets 8GiB,4GiB`` (8), then
``--only plans,training --budgets 12GiB`` (8). Called again on the same machine it goes on with what
it finds in ``--out``.

A GPU machine that reaches no network needs Python and torch, a copy of this checkout, and what
``pack`` left in .gpu-check: wheels, from which the check installs what the machine lacks into a
folder of its own, and the weights of VGGish, if the packing machine had them. Without these the
published ldm learns with ``perceptual=multiscale``. What is traced and rendered stays in one cache
(.gpu-check/cache, unless TIMBREBENCH_CACHE names another).
"""

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / ".gpu-check"
WHEELS, SITE, WEIGHTS = HERE / "wheels", HERE / "site", HERE / "weights"
RESULT = ROOT / "docs" / "results" / "gpu-check.md"
TASKS = "clarinet:strings,generate:strings,pair:strings/piano"
# Of each method a model or two; nothing is chosen on validation tracks, which takes long.
LDM = "ldm[start_noise=0.5;guidance=1]"
METHODS = (
    LDM,
    "palette",
    "cross[k=250]",
    "double",
    "ddim[steps=20]",
    "regress",
)
# Few tracks, which are made on the machine: what is checked is memory, not quality.
CORPUS = ("-o", "starlet.pieces=8", "-o", "starlet.valid_pieces=1", "-o", "starlet.test_pieces=1")
SHORT = ("--max-seconds", "3", "--metrics", "fad_logmel")
PARTS = ("breach", "plans", "training")
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
    if (known := vggish()).is_file():
        WEIGHTS.mkdir(exist_ok=True)
        shutil.copy(known, WEIGHTS)
    size = sum(path.stat().st_size for path in WHEELS.iterdir())
    print(f"{len(wanted)} packages, {size >> 20} MiB, in {WHEELS}.")


def vggish() -> Path:
    """Where the weights of VGGish are, if they are there."""
    from timbrebench.core import weights

    return weights.known("vggish").path


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
    cache = Path(os.environ.get("TIMBREBENCH_CACHE") or HERE / "cache")
    for file in WEIGHTS.glob("*"):
        (cache / "weights").mkdir(parents=True, exist_ok=True)
        shutil.copy(file, cache / "weights")
    known = os.environ.get("PYTHONPATH")
    paths = [str(ROOT), str(SITE), *([known] if known else [])]
    path = os.pathsep.join(paths)
    return {**os.environ, "PYTHONPATH": path, "TIMBREBENCH_CACHE": str(cache)}


def methods(preset: str, env: Mapping[str, str]) -> list[str]:
    """What is checked; ldm with a loss without weights where those of VGGish are not there."""
    there = any(Path(env.get("TIMBREBENCH_CACHE", HERE), "weights").glob("vggish*"))
    if there or preset != "paper":
        return list(METHODS)
    return [LDM[:-1] + ";perceptual=multiscale]", *METHODS[1:]]


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
        self.methods = methods(given.preset, env)
        self.over = 0  # peaks beyond their plans
        self.gpu = given.device != "cpu"
        self.budget = "--gpu-memory" if self.gpu else "--host-memory"

    def run(self, name: str, *words: str) -> Path:
        """``bench run`` into a folder. What fails is told by its own statuses."""
        out = self.given.out / name
        fixed = ["--dataset", "starlet", "--no-controls", *CORPUS, *SHORT]
        machine = ["--device", self.given.device, "--out", str(out)]
        command = [sys.executable, "-m", "timbrebench", "run", *fixed, *machine, *words]
        print("$ bench", *command[3:], flush=True)
        subprocess.run(command, env=self.env)
        return out

    def plans(self) -> Iterator[str]:
        """Every method at every budget for a few steps: planned against taken."""
        yield from ("", "## Plan and peak", "")
        taken = "allocated | reserved" if self.gpu else "resident | "
        yield f"| budget | method | model | batch | planned MiB | {taken} | peak/planned | within |"
        yield "|---:|---|---|---:|---:|---:|---:|---:|---|"
        steps = ["--preset", self.given.preset, "--steps", "4"]
        for budget in self.given.budgets.split(","):
            names = ",".join(self.methods)
            what = ["--methods", names, "--tasks", TASKS, *steps, self.budget, budget]
            for cell in cells(self.run(f"plan-{budget}", *what)):
                if cell["status"] != "ok":
                    yield f"| {budget} | {cell['label']} | {ended(cell)} ||||||"
                for model, memory in cell["phases"].items():
                    yield f"| {budget} | {cell['label']} | {model} | {self.row(memory)} |"

    def row(self, memory: Mapping[str, Any]) -> str:
        size = memory.get("micro_batch", memory.get("slices"))
        again = ", recomputed" if memory.get("recompute") else ""
        took = ["peak_allocated", "peak_reserved"] if self.gpu else ["host_peak_rss", ""]
        planned, peak = memory.get("planned_bytes"), memory.get(took[0])
        ratio = f"{peak / planned:.3f}" if peak and planned else ""
        # What is resident has more in it than a plan of tensors: only an allocator's peak counts.
        self.over += bool(self.gpu and peak and planned and peak > planned)
        peaks = [planned, *(memory.get(name) for name in took)]
        within = {True: "yes", False: "NO", None: "not enforced"}[memory["within_budget"]]
        return " | ".join([f"{size}{again}", *map(mebibytes, peaks), ratio, within])

    def breach(self) -> Iterator[str]:
        """A method that hides what it takes: enforced, and backed off from."""
        budget = f"{(3 * HOARD >> 20) + 400}MiB"  # three examples and what a process has itself
        words = ["--methods", "hoarder", "--tasks", "clarinet:strings", "--steps", "4"]
        made = self.run("breach", *words, self.budget, budget)
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
        names = ",".join([*self.methods, "copy", "oracle"])
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


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("do", nargs="?", choices=["check", "pack"], default="check")
    parser.add_argument("--have", default="", help="pack: what the machine has, comma list")
    parser.add_argument("--python", default="3.12", help="pack: the machine's Python")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, comma list")
    parser.add_argument("--budgets", default="8GiB,4GiB,12GiB", help="training has the last")
    parser.add_argument("--train-time", default="20s", help="of each method")
    parser.add_argument("-o", "--option", action="append", default=[], help="of that training")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu-check"), help="run folders")
    parser.add_argument("--result", type=Path, default=RESULT, help="page to write")
    given = parser.parse_args()
    if unknown := set(given.only.split(",")) - set(PARTS):
        parser.error(f"--only takes {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    return given


def main() -> int:
    given = asked()
    if given.do == "pack":
        pack(given.have.split(","), given.python)
        return 0
    check = Check(given, install())
    command = " ".join(["python tools/gpu_check.py", *sys.argv[1:]])
    lines = ["# Budgets of memory on a GPU", ""]
    lines.append(f"Written by `{command}` on {machine(given.device)}.")
    given.result.parent.mkdir(parents=True, exist_ok=True)
    for name in (part for part in PARTS if part in given.only.split(",")):
        for line in getattr(check, name)():
            lines.append(line)
            given.result.write_text("\n".join(lines) + "\n")  # of what is done, if time ends here
    print(f"Written: {given.result}")
    if check.over:
        print(f"{check.over} peaks exceed their plans.")
    return 1 if check.over else 0


if __name__ == "__main__":
    sys.exit(main())
