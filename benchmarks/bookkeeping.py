"""How long a grid that is finished takes to plan, to go over and to report.

    python benchmarks/bookkeeping.py                 # 10,000 cells
    python benchmarks/bookkeeping.py --cells 1000

One small run is made, and its cells are repeated under other seeds by links to its files; then
the commands are timed on the whole. Nothing is downloaded, the user's cache is not touched.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

METHODS = ("palette", "copy", "eq")
TINY = "-o palette.widths=8/8/16 -o palette.blocks=1 -o palette.batch=4 -o palette.steps=2".split()
SPLIT = "valid=tune3;test=tune4,tune5"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cells", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIMBREBENCH_CACHE"] = f"{folder}/cache"
        for line in measure(Path(folder), given.cells // len(METHODS)):
            print(line, flush=True)


def measure(folder: Path, seeds: int) -> Any:
    from timbrebench.testing import tiny_corpus

    tiny_corpus(folder / "data")
    out = folder / "run"
    bench("run", out, folder, 1)
    repeat(out, folder, seeds)
    yield f"{seeds * len(METHODS)} cells of {len(METHODS)} methods:"
    for command in ("plan", "run", "report"):
        started = time.monotonic()
        bench(command, out, folder, seeds)
        yield f"bench {command}: {time.monotonic() - started:.1f} s"


def bench(command: str, out: Path, folder: Path, seeds: int) -> None:
    words = [sys.executable, "-m", "timbrebench", command]
    if command == "report":
        words += [str(out), "--format", "md"]
    else:
        words += ["--methods", ",".join(METHODS), "--no-controls", "--tasks", "bell:bow", *TINY]
        words += ["--dataset", "folder", "--data-root", str(folder / "data"), "--split", SPLIT]
        words += ["--precision", "fp32", "--steps", "2", "--out", str(out), "--json"]
        words += ["--seeds", ",".join(map(str, range(seeds)))]
        words += ["--metrics", "level_error_db,mel_l1"] if command == "run" else []
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])


def repeat(out: Path, folder: Path, seeds: int) -> None:
    """The cells of seed 0 under the other seeds, as if they had been run."""
    from timbrebench.benchmarks import tracing
    from timbrebench.benchmarks.config import RunConfig, parse_budget
    from timbrebench.benchmarks.limits import MemoryLimits
    from timbrebench.benchmarks.plan import make_plan
    from timbrebench.benchmarks.records import describe
    from timbrebench.core import files
    from timbrebench.core.registry import registry

    options: dict[str, dict[str, str]] = {"palette": {}}
    for word in TINY[1::2]:
        name, _, value = word.removeprefix("palette.").partition("=")
        options["palette"][name] = value
    config = RunConfig(
        methods=METHODS,
        dataset="folder",
        data_root=str(folder / "data"),
        split=SPLIT,
        tasks=("bell:bow",),
        controls=False,
        precision="fp32",
        budget=parse_budget("steps", "2"),
        metrics=("level_error_db", "mel_l1"),
        options=options,
        seeds=tuple(range(seeds)),
    )
    cells = make_plan(config, registry()).cells
    first = {cell.method.label: cell for cell in cells if cell.seed == 0}
    none = MemoryLimits()
    for cell in (c for c in cells if c.seed):
        source = first[cell.method.label]
        stages = []
        if cell.trains:
            plan = files.read_json(tracing.plan_file(source, none))
            for stage in plan["stages"]:
                own = files.digest([stage["key"], cell.seed])
                link(out / "models" / stage["key"], out / "models" / own)
                stage["key"] = own
                stages.append(own)
            files.write_json(tracing.plan_file(cell, none), plan)
        link(out / "cells" / source.key, out / "cells" / cell.key)
        own_record = out / "cells" / cell.key / "cell.json"
        own_record.unlink()
        files.write_json(own_record, {**describe(cell, config), "stages": stages})


def link(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            there = target / path.relative_to(source)
            there.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, there)


if __name__ == "__main__":
    main()
