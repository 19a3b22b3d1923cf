"""How long a grid that is finished takes to plan, to go over and to report:
docs/results/bookkeeping.md.

    python benchmarks/bookkeeping.py                 # 10,000 cells
    python benchmarks/bookkeeping.py --cells 60 --result /tmp/page.md

One small run is made, and its cells are repeated under other seeds by links to its files; then
the commands are timed on the whole. Nothing is downloaded, the user's cache is not touched.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "docs" / "results" / "bookkeeping.md"
METHODS = ("palette", "copy", "eq")
TINY = "-o palette.widths=8/8/16 -o palette.blocks=1 -o palette.batch=4 -o palette.steps=2".split()
SPLIT = "valid=tune3;test=tune4,tune5"
# What is timed, in this order: (the command, what of the grid it meets, seconds allowed)
TIMED = [
    ("plan", "all cells done", 5.0),
    ("run", "cells that are links: their models are read, the scores of all written", None),
    ("run", "finished (our dataset, on the CPU): nothing is written, no process started", None),
    ("report", "all rows, as Markdown and one page", 20.0),
]
ALLOWED_AT = 10_000  # cells


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cells", type=int, default=ALLOWED_AT)
    parser.add_argument("--result", type=Path, default=RESULT, help="page to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIMBREBENCH_CACHE"] = f"{folder}/cache"
        seconds = measure(Path(folder), given.cells // len(METHODS))
    lines = page(seconds, given.cells)
    given.result.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def measure(folder: Path, seeds: int) -> list[float]:
    """Seconds of each of TIMED."""
    from timbrebench.testing import tiny_corpus

    tiny_corpus(folder / "data")
    out = folder / "run"
    bench("run", out, folder, 1)
    repeat(out, folder, seeds)
    found = []
    for command, _, _ in TIMED:
        started = time.monotonic()
        bench(command, out, folder, seeds)
        found.append(time.monotonic() - started)
        print(f"bench {command}: {found[-1]:.1f} s", file=sys.stderr, flush=True)
    return found


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


def page(seconds: list[float], cells: int) -> list[str]:
    rows = zip(TIMED, seconds, strict=True)
    return [
        "# Bookkeeping of a large grid",
        "",
        f"Written by `python benchmarks/bookkeeping.py --cells {cells}`: "
        f"{cells // len(METHODS) * len(METHODS)} finished cells of {len(METHODS)} methods, two of "
        "them untrained, two metrics.",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; load of the machine at the end: "
        f"{os.getloadavg()[0]:.1f}.",
        "",
        "| command | on what | seconds | a cell (ms) | allowed (s) |",
        "| --- | --- | ---: | ---: | ---: |",
        *(row(*timed, taken, cells) for timed, taken in rows),
        "",
        f"The limits are for {ALLOWED_AT:,} cells. Seconds are of the whole command, its start "
        "included. How many files a finished cell costs is tested "
        "(`tests/benchmarks/test_runner.py`): two opened, none written.",
    ]


def row(command: str, what: str, limit: float | None, taken: float, cells: int) -> str:
    allowed = "–"
    if limit is not None:
        kept = "kept" if taken <= limit else "not kept"
        allowed = f"{limit:.0f} ({kept})" if cells >= ALLOWED_AT else f"{limit:.0f}"
    return f"| `bench {command}` | {what} | {taken:.1f} | {1000 * taken / cells:.1f} | {allowed} |"


if __name__ == "__main__":
    main()
