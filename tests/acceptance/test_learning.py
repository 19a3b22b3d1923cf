"""The quick preset learns: palette on starlet, against the controls that it should beat.

The runs stay in runs/acceptance; their tables are written to docs/results/learning.md.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "runs" / "acceptance"
PERCUSSIVE, SUSTAINED = "vibraphone:piano", "clarinet:strings"

pytestmark = pytest.mark.acceptance


def bench(*words: str) -> str:
    command = [sys.executable, "-m", "timbrebench", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def learned() -> dict[tuple[str, str, str], float]:
    """(method, task, metric) → value, after training on both conversions."""
    plans = {PERCUSSIVE: "palette,regress,ldm", SUSTAINED: "palette"}
    values, texts = {}, []
    for task, methods in plans.items():
        out = str(RUNS / task.replace(":", "-"))
        words = ("run", "--methods", methods, "--dataset", "starlet", "--tasks", task)
        bench(*words, "--out", out)
        texts.append(f"    bench {' '.join(words)}\n\n{bench('report', out, '--format', 'md')}")
        for line in (Path(out) / "scores.jsonl").read_text().splitlines():
            row = json.loads(line)
            if not row["item"] and row["status"] == "ok":
                values[row["method"], row["task"], row["metric"]] = row["value"]
    write_result(texts)
    return values


def write_result(texts: list[str]) -> None:
    run = json.loads((RUNS / "vibraphone-piano" / "run.json").read_text())
    machine = run["environment"]
    told = (
        f"timbrebench {machine['timbrebench']}, {machine['processor']}, {machine['cores']} cores, "
        f"torch {machine['packages']['torch']}."
    )
    head = f"# Learning at the quick preset\n\nWritten by `make acceptance`. {told}\n"
    path = ROOT / "docs" / "results" / "learning.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([head, *texts]))


def test_palette_learns_an_attack_and_a_decay(learned: dict[tuple[str, str, str], float]) -> None:
    def fad(method: str) -> float:
        return learned[method, PERCUSSIVE, "fad_logmel"]

    assert fad("palette") <= 0.5 * min(fad("copy"), fad("eq"), fad("affine"))
    jaccard = {m: learned[m, PERCUSSIVE, "jaccard_melodia16k"] for m in ("palette", "copy")}
    assert jaccard["palette"] <= 0.7 * jaccard["copy"]


def test_palette_learns_a_sustained_timbre(learned: dict[tuple[str, str, str], float]) -> None:
    palette, copy = (learned[m, SUSTAINED, "fad_logmel"] for m in ("palette", "copy"))
    assert palette <= 0.25 * copy


def test_ldm_runs_and_is_scored(learned: dict[tuple[str, str, str], float]) -> None:
    for metric in ("fad_logmel", "jaccard_melodia16k", "mel_l1", "train_seconds"):
        task = "" if metric == "train_seconds" else PERCUSSIVE
        assert learned["ldm", task, metric] > 0


@pytest.mark.parametrize("metric", ["fad_logmel", "jaccard_melodia16k", "mel_l1"])
def test_the_oracle_bounds_every_method(
    metric: str, learned: dict[tuple[str, str, str], float]
) -> None:
    for method in ("palette", "regress", "ldm"):
        assert (
            learned["oracle[soundstream]", PERCUSSIVE, metric] < learned[method, PERCUSSIVE, metric]
        )


def test_a_wrong_track_has_the_timbre_and_not_the_notes(
    learned: dict[tuple[str, str, str], float],
) -> None:
    assert learned["shuffled", PERCUSSIVE, "jaccard_melodia16k"] > 0.85
    shuffled, copy = (learned[m, PERCUSSIVE, "fad_logmel"] for m in ("shuffled", "copy"))
    assert shuffled < copy
