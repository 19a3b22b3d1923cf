"""What each correction of the published ldm changes in the scores: docs/results/ldm-corrections.md.

    python benchmarks/ldm_corrections.py                  # the quick preset's budget for each cell
    python benchmarks/ldm_corrections.py --jobs 2         # the same, sooner on two cores
    python benchmarks/ldm_corrections.py --flops 2e11     # a look whether it works

Runs ``bench run`` with a cell for the published system, for it with each correction alone and with
all of them, and for the other two variants. Finished cells are kept in the run folder.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from timbrebench.benchmarks.reading import read_run
from timbrebench.core.results import CellRecord, RunRecord
from timbrebench.methods.ldm.corrections import CORRECTIONS
from timbrebench.methods.ldm.published_system import MATCHED_START

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "docs" / "results" / "ldm-corrections.md"
TRANSFER, GENERATE = "vibraphone:piano", "generate:piano"
COLUMNS = {  # heading → task and metric
    "FAD ↓": (TRANSFER, "fad_logmel"),
    "JD ↓": (TRANSFER, "jaccard_melodia16k"),
    "mel L1 ↓": (TRANSFER, "mel_l1"),
    "FAD, generated ↓": (GENERATE, "fad_logmel"),
}
LOSSES = ("valid_loss_by_right_style", "valid_loss_by_wrong_style")


def published(correct: str) -> str:
    """The published variant, with its own learning rate unless that is what is corrected."""
    start = MATCHED_START if correct in ("schedule", "all") else 1
    own = [] if correct in ("optimiser", "all") else ["lr=0.0005"]
    words = ["variant=published", *([f"correct={correct}"] if correct else []), *own]
    return f"ldm[{';'.join([*words, f'start_noise={start}'])}]"


def methods() -> dict[str, str]:
    """Name in the table → method with its options. All but content start at a signal rate of
    about 0.36; none of the sampling options is chosen."""
    rows = {"copy": "copy", "published": published("")}
    rows |= {f"published, {word} corrected": published(word) for word in CORRECTIONS}
    rows["published, all corrected"] = published("all")
    rows["noise"] = "ldm[variant=noise;guidance=3;start_noise=0.75]"
    return rows | {"content (the default)": "ldm[variant=content;guidance=3;start_noise=1]"}


def command(arguments: argparse.Namespace) -> list[str]:
    given = {
        "methods": ",".join(methods().values()),
        "tasks": f"{TRANSFER},{GENERATE}",
        "metrics": ",".join(dict.fromkeys(metric for _, metric in COLUMNS.values())),
        "precision": "fp32",  # bf16 is far slower on a CPU without its instructions
        "flops": arguments.flops,
        "max-seconds": arguments.max_seconds,
        "jobs": arguments.jobs,
        "out": arguments.out,
    }
    words = [word for k, v in given.items() if v is not None for word in (f"--{k}", str(v))]
    options = [word for o in arguments.option for word in ("-o", o)]
    return ["run", "--dataset", "starlet", "--no-controls", *words, *options]


def table(run: RunRecord) -> list[str]:
    cells = {cell.label: cell for cell in run.cells}
    head = ["", *COLUMNS, "loss, right style", "loss, wrong style", "gap", "steps"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for name, label in methods().items():
        scores = [score(run, label, *column) for column in COLUMNS.values()]
        lines.append([name, *scores, *trained(run, cells[label])])
    return [f"| {' | '.join(line)} |" for line in lines]


def score(run: RunRecord, label: str, task: str, metric: str) -> str:
    wanted = {"method": label, "task": task, "metric": metric, "item": ""}
    for row in run.rows:
        if all(row[k] == v for k, v in wanted.items()):
            ok = row["status"] == "ok"
            return f"{row['value']:.3g}" if ok else row["status"].replace("_", " ")
    return "none"


def trained(run: RunRecord, cell: CellRecord) -> list[str]:
    """The losses of the kept weights under a right and a wrong style, their gap, and the steps."""
    stage = next((run.stages[k] for k in cell.stages if run.stages[k].name == "diffusion"), None)
    points = [p for p in stage.curve if "valid_loss" in p] if stage else []
    if stage is None or not points:
        return [""] * 4
    kept = min(points, key=lambda p: p["valid_loss"])
    right, wrong = (kept[name] for name in LOSSES)
    return [f"{right:.4f}", f"{wrong:.4f}", f"{wrong - right:+.4f}", str(stage.steps)]


def page(run: RunRecord, given: argparse.Namespace) -> str:
    machine, budget = run.environment, next(c.budget for c in run.cells if c.stages)
    extra = [f"test tracks cut to {given.max_seconds} s"] if given.max_seconds else []
    facts = [
        f"timbrebench {machine['timbrebench']}, {machine['processor']}",
        f"torch {machine['packages']['torch']}",
        f"{budget['amount']:g} {budget['kind']} a cell, one seed",
        *given.option,
        *extra,
    ]
    lines = [
        "# What each correction of ldm changes",
        "",
        "Written by `python benchmarks/ldm_corrections.py`. [ldm.md](../ldm.md) says what the",
        "corrections are and how the columns are to be read.",
        "",
        f"{'; '.join(facts)}.",
        "",
        *table(run),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--flops", help="budget of a cell; default: the quick preset's")
    parser.add_argument("--max-seconds", help="cut test tracks to this length")
    parser.add_argument("--jobs", help="cells side by side, as of bench run")
    parser.add_argument("--out", default="runs/ldm-corrections", help="run folder")
    parser.add_argument("--result", type=Path, default=RESULT, help="page to write")
    parser.add_argument("-o", "--option", action="append", default=[], help="as of bench run")
    arguments = parser.parse_args()
    words = [sys.executable, "-m", "timbrebench", *command(arguments)]
    done = subprocess.run(words).returncode
    arguments.result.write_text(page(read_run(Path(arguments.out)), arguments))
    print(f"Written: {arguments.result}")
    sys.exit(done)


if __name__ == "__main__":
    main()
