"""What `bench run` adds to a training: docs/results/runner-overhead.md.

    python benchmarks/runner_overhead.py                     # 3 rounds of 120 steps
    python benchmarks/runner_overhead.py --steps 10 --rounds 1 --result /tmp/page.md

One stage of palette at its quick size is trained by `bench run`, and with the same examples, steps
and validations by a bare loop in one process, in turns. Both start a process and must end with the
same weights. Nothing is downloaded, and the user's cache is not touched.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "docs" / "results" / "runner-overhead.md"
LIMIT = 1.05  # times the loop, beside the start
WORDS = (
    "--methods palette --no-controls --tasks bell:bow --precision fp32 --metrics level_error_db "
    "-o palette.steps=2"
).split()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--result", type=Path, default=RESULT, help="page to write")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)  # a job: this is the process
    given = parser.parse_args()
    if given.bare:
        bare(given.bare)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIMBREBENCH_CACHE"] = f"{folder}/cache"
        rounds = measure(Path(folder), given.steps, given.rounds)
    lines = page(rounds, given.steps)
    given.result.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def measure(folder: Path, steps: int, rounds: int) -> list[dict[str, float]]:
    """Seconds of each round. A first run, which is not counted, fills the cache of plans."""
    from timbrebench.testing import tiny_corpus

    tiny_corpus(folder / "data")
    run(folder, folder / "first", 1)
    run(folder, folder / "plan", steps)
    found = []
    for number in range(rounds):
        out = folder / f"run{number}"
        command = run(folder, out, steps)
        (model,) = (path.parent for path in out.glob("models/*/stage.json"))
        job, answer = model / "train.job.json", model / "train.json"
        wall = answer.stat().st_mtime - job.stat().st_mtime
        found.append({"command": command, "wall": wall, **in_one_process(job)})
    return found


def run(folder: Path, out: Path, steps: int) -> float:
    """Seconds of the whole command."""
    words = ["run", "--dataset", "folder", "--data-root", str(folder / "data"), *WORDS]
    words += ["--split", "valid=tune3;test=tune4,tune5", "--steps", str(steps), "--out", str(out)]
    started = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "timbrebench", *words], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return time.time() - started


def in_one_process(job: Path) -> dict[str, float]:
    """Seconds until its loop begins, and of the loop, under the settings that a worker has."""
    from timbrebench.benchmarks.executors.process import ALLOCATOR, WAITING

    threads = str(json.loads(job.read_text())["threads"])
    env = {**os.environ, **ALLOCATOR, **WAITING, "OMP_NUM_THREADS": threads}
    words = [sys.executable, __file__, "--bare", str(job)]
    started = time.time()
    done = subprocess.run(words, capture_output=True, text=True, env=env)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    told = json.loads(done.stdout)
    return {"start": told["ready"] - started, "loop": told["done"] - told["ready"]}


# ---------------------------------------------------------------------------- the bare loop


def bare(path: Path) -> None:
    """Draws, steps and validations of a training job, and nothing else."""
    import torch
    from safetensors.torch import load_file

    from timbrebench.benchmarks.session import Session, use_threads
    from timbrebench.core import files, seeds
    from timbrebench.core.interfaces import StageContext
    from timbrebench.core.learner import Learner
    from timbrebench.core.training import TrainPlan, collate, draw, learning_rate

    job = json.loads(path.read_text())
    use_threads(job["threads"])
    session, made = Session(job["data"]["cell"]), job["data"]["stage"]
    stage, device = session.stage(made["name"]), session.device
    stage.prepare(StageContext(session.corpus, {}, device, lambda what, share: None))
    torch.manual_seed(seeds.seed_of("init", session.seed, files.digest(stage.config)) % 2**63)
    learner = Learner(stage, stage.build().to(device), precision=session.cell["precision"])
    plan = TrainPlan(made["steps"], session.seed, session.corpus.fingerprint)
    recipe, best = stage.recipe, float("inf")
    count, size = recipe.valid_examples, recipe.batch_size
    examples = draw(stage, plan, "valid", 0, count)
    valid = [collate(examples[i : i + size], device) for i in range(0, count, size)]
    ready = time.time()
    for step in range(plan.steps):
        batch = collate(draw(stage, plan, "train", step * size, size), device)
        rate = learning_rate(recipe, step, step / plan.steps, plan.steps)
        for _ in learner.step(batch, rate, step + 1):
            pass
        if (step + 1) % recipe.valid_every == 0 or step + 1 == plan.steps:
            loss = float(learner.validate(valid)["loss"])
            if loss < best:
                best = loss
                learner.keep()
    done = time.time()
    known = load_file(path.with_name("model.safetensors"))
    if any(not torch.equal(value.cpu(), known[name]) for name, value in learner.best.items()):
        sys.exit("the bare loop ended with other weights: it did not do the same work")
    print(json.dumps({"ready": ready, "done": done}))


# ---------------------------------------------------------------------------- the page


def page(rounds: list[dict[str, float]], steps: int) -> list[str]:
    middle = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    rows = [*((str(n), each) for n, each in enumerate(rounds, 1)), ("median", middle)]
    allowed = LIMIT * middle["loop"] + middle["start"]
    load = os.getloadavg()[0]
    return [
        "# What the runner adds",
        "",
        f"Written by `python benchmarks/runner_overhead.py --steps {steps} --rounds {len(rounds)}`:"
        " everything in one run on one machine.",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; load of the machine at the end: {load:.1f}.",
        "",
        f"`palette` at its quick size, {steps} steps, its validations included. In both the weights"
        " are the same, bit for bit.",
        "",
        "| round | bare: start (s) | bare: loop (s) | `bench run`: training (s) | over the loop |"
        " whole command (s) |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(row(name, each) for name, each in rows),
        "",
        '"Training" is from the start of its worker process to its answer: start, loop, '
        'checkpoints, reports, files. "Over the loop" is what of it goes beyond the bare process\'s'
        " start, relative to the bare loop. The whole command also plans, converts the test tracks"
        " and scores them.",
        "",
        f"Allowed are {LIMIT} × {middle['loop']:.1f} s + {middle['start']:.1f} s ="
        f" {allowed:.1f} s; it took {middle['wall']:.1f} s"
        f" ({'kept' if middle['wall'] <= allowed else 'not kept'}).",
    ]


def row(name: str, each: Mapping[str, Any]) -> str:
    seconds = [f"{each[part]:.1f}" for part in ("start", "loop", "wall")]
    over = f"{(each['wall'] - each['start']) / each['loop']:.3f}"
    return f"| {' | '.join([name, *seconds, over, format(each['command'], '.1f')])} |"


if __name__ == "__main__":
    main()
