"""``bench run`` as its users run it: processes, stores, killing, strangers' packages."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from timbrebench.testing import tiny_corpus

PLUGINS = Path(__file__).parents[1] / "data" / "plugins"
EXAMPLE = Path(__file__).parents[2] / "examples" / "timbrebench-example"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    tiny_corpus(folder)
    return folder


def command(data: Path, out: Path, *words: object) -> list[str]:
    start = [sys.executable, "-m", "timbrebench", "run", "--dataset", "folder"]
    split = "valid=tune3;test=tune4,tune5"
    where = ["--data-root", str(data), "--split", split, "--out", str(out)]
    return [*start, *where, *map(str, words)]


def run(
    data: Path, out: Path, *words: object, env: dict[str, str] | None = None
) -> tuple[int, str]:
    done = subprocess.run(
        command(data, out, *words),
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        timeout=280,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def scores(out: Path) -> dict[tuple[str, ...], Any]:
    """(method, task, metric, item) → (status, value), what depends on the machine left out."""
    lines = (out / "scores.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    timed = ("second", "factor", "rss")
    return {
        (r["method"], r["task"], r["metric"], r["item"]): (r["status"], r["value"])
        for r in rows
        if not any(word in r["metric"] for word in timed)
    }


def statuses(out: Path) -> dict[str, str]:
    found = {}
    for path in out.glob("cells/*/cell.json"):
        result = json.loads((path.parent / "result.json").read_text())
        found[json.loads(path.read_text())["label"]] = result["status"]
    return found


def test_a_file_that_turns_out_damaged_is_left_out_and_the_run_goes_on(
    data: Path, tmp_path: Path, cache: Path
) -> None:
    root, out = tmp_path / "data", tmp_path / "run"
    shutil.copytree(data, root)
    path = root / "bell" / "tune0.wav"
    samples, rate = sf.read(path)
    samples[rate // 2] = np.nan
    sf.write(path, samples, rate, subtype="FLOAT")
    words = "--methods eq,copy --no-controls --tasks bell:bow --metrics mel_l1".split()
    code, told = run(root, out, *words)
    assert code == 0 and told.count("folder is used without what cannot be read (tune0 bell:") == 1
    (known,) = json.loads((out / "run.json").read_text())["corpora"].values()
    assert known["notes"]["left_out"] == {"bell/tune0.wav": "it holds NaN or infinite samples"}
    code, told = run(root, out, *words)
    assert code == 0 and "started" not in told


def test_controls_end_to_end_and_nothing_is_done_twice(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    code, told = run(data, out, "--methods", "copy,oracle", "--no-controls", "--tasks", "bell:bow")
    assert code == 0, told
    found = scores(out)
    task = "bell:bow"
    distance = {m: found[m, task, "fad_logmel", ""][1] for m in ("copy", "oracle[soundstream]")}
    assert distance["oracle[soundstream]"] < distance["copy"]
    assert found["copy", task, "mel_l1", "tune4"][0] == "ok"
    assert found["copy", task, "fad_vggish", ""][0] == "missing"
    stamps = {p: p.stat().st_mtime_ns for p in out.rglob("estimates/*/*.flac")}
    code, told = run(data, out, "--methods", "copy,oracle", "--no-controls", "--tasks", "bell:bow")
    assert code == 0 and "started" not in told
    code, told = run(
        data, out, "--methods", "copy,oracle", "--no-controls", "--tasks", "bell:bow",
        "--metrics", "mel_l1",
    )  # fmt: skip
    assert code == 0
    assert stamps == {p: p.stat().st_mtime_ns for p in out.rglob("estimates/*/*.flac")}


# ---------------------------------------------------------------------------- strangers


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the example and the misbehaving packages are installed."""
    site = tmp_path_factory.mktemp("site")
    sources = [EXAMPLE, *sorted(p for p in PLUGINS.iterdir() if p.is_dir())]
    copies = []
    for source in sources:  # pip builds in the source folder: not in ours
        copy = tmp_path_factory.mktemp("source") / source.name
        subprocess.run(["cp", "-r", str(source), str(copy)], check=True)
        copies.append(str(copy))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    how = ["--no-deps", "--no-build-isolation", "--target", str(site)]
    subprocess.run([*pip, *how, *copies], check=True)
    cache = tmp_path_factory.mktemp("cache")
    return {"PYTHONPATH": str(site), "TIMBREBENCH_CACHE": str(cache)}


def bench(env: dict[str, str], *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "timbrebench", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=120,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def test_strangers_are_listed_and_the_broken_are_shown(strangers: dict[str, str]) -> None:
    code, told = bench(strangers, "list", "methods", "--json")
    rows = {(r["name"], r["distribution"]) for r in json.loads(told)}
    assert code == 0
    assert {("palette", "timbrebench"), ("tilt", "timbrebench-example")} <= rows
    code, told = bench(strangers, "plugins", "--json")
    states = {r["distribution"]: (r["state"], r["reason"]) for r in json.loads(told)}
    assert code == 1
    assert states["bench-plugin-raises-at-import"][0] == "broken"
    assert (
        states["bench-plugin-hangs-at-import"][0] == "broken"
        and "10 s" in states["bench-plugin-hangs-at-import"][1]
    )
    assert states["bench-plugin-claims-taken-name"][0] == "clash"
    assert states["timbrebench-example"][0] == "ok"


def test_a_name_claimed_twice_has_to_be_told_apart(
    strangers: dict[str, str], data: Path, tmp_path: Path
) -> None:
    code, told = run(data, tmp_path / "run", "--methods", "palette", env=strangers)
    assert (
        code == 2
        and "bench-plugin-claims-taken-name and timbrebench" in told
        and "palette@" in told
    )
    code, told = bench(
        strangers, "plan", "--methods", "palette@timbrebench", "--no-controls", "--steps", "2"
    )
    assert code == 0, told


def test_a_strangers_plugins_run_beside_ours(strangers: dict[str, str], tmp_path: Path) -> None:
    words = (
        "run --methods tilt,bandmap,copy --no-controls --dataset sines --steps 40 "
        "--metrics centroid_error_hz,mel_l1,fad_logmel"
    ).split()
    out = tmp_path / "run"
    code, told = bench(strangers, *words, "--out", str(out))
    assert code == 0, told
    found = scores(out)
    tasks = {task for _, task, *_ in found if task}
    for task in tasks:
        for method in ("tilt", "bandmap", "copy"):
            assert found[method, task, "centroid_error_hz", ""][0] == "ok"
        learned, copied = (found[m, task, "mel_l1", ""][1] for m in ("bandmap", "copy"))
        assert learned < copied


def test_methods_that_fail_in_training_end_alone(
    strangers: dict[str, str], data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    code, told = run(
        data, out, "--methods", "crashes,dies,hangs,copy", "--no-controls", "--steps", "20",
        "--tasks", "bell:bow", "--metrics", "level_error_db", "--stall", "15", "--jobs", "3",
        env=strangers,
    )  # fmt: skip
    assert code == 1
    assert statuses(out) == {
        "crashes": "failed", "dies": "killed", "hangs": "timeout", "copy": "ok"
    }  # fmt: skip
    assert "this method crashes in training" in told and "SIGKILL" in told
    assert "no sign of life for 15 s" in told


def test_what_cannot_be_timed_says_why(strangers: dict[str, str], data: Path) -> None:
    words = ["--methods", "stumbles", "--no-controls", "--steps", "20", "--tasks", "bell:bow"]
    code, told = bench(strangers, "plan", *command(data, data / "run", *words)[4:], "--calibrate")
    assert code == 0, told
    assert "Not timed: faulty: RuntimeError: this method stumbles over values" in told
    assert "Training takes" not in told


def test_a_breach_of_the_memory_budget_is_backed_off_from_and_told(
    strangers: dict[str, str], data: Path, tmp_path: Path
) -> None:
    """Its tensors are planned to fit at a batch of four; what it takes beside them, unseen by the
    plan, is 600 MiB then, and breaks the limit."""
    out = tmp_path / "run"
    code, told = run(
        data, out, "--methods", "hoards", "--no-controls", "--steps", "8", "--tasks", "bell:bow",
        "--host-memory", "750MiB", "--metrics", "level_error_db", env=strangers,
    )  # fmt: skip
    assert code == 0, told
    assert "out of memory, once more with less" in told
    (stage,) = (json.loads(path.read_text()) for path in out.glob("models/*/stage.json"))
    memory = stage["memory"]
    assert memory["micro_batch"] < 4 and memory["lowered"] >= 1
    assert memory["enforced"] == "rlimit" and memory["within_budget"] is True
    assert memory["limits"] == {"gpu": None, "host": 750 * 2**20}
    assert 0 < memory["planned_bytes"] < 750 * 2**20


def test_what_it_needs_of_the_host_is_enough(data: Path, tmp_path: Path, cache: Path) -> None:
    """Given back, and held to: nothing that the plan did not see takes more."""
    words = [
        "--methods", "palette", "--no-controls", "--tasks", "bell:bow", "--steps", "4",
        "-o", "palette.widths=8/8/16", "-o", "palette.blocks=1", "-o", "palette.batch=4",
        "-o", "palette.steps=2", "--metrics", "level_error_db", "--host-memory",
    ]  # fmt: skip
    code, told = run(data, tmp_path / "none", *words, "300MiB")
    least = re.search(r"does not fit: needs at least (\d+) MiB", told)
    assert code == 2 and least, told
    code, told = run(data, tmp_path / "run", *words, f"{least[1]}MiB")
    assert code == 0 and "out of memory" not in told, told


def test_what_fits_no_way_says_what_it_needs(data: Path, tmp_path: Path) -> None:
    code, told = run(
        data, tmp_path / "run", "--methods", "palette", "--no-controls", "--tasks", "bell:bow",
        "-o", "palette.widths=8/8/16", "-o", "palette.blocks=1", "-o", "palette.batch=2",
        "--gpu-memory", "33MiB",
    )  # fmt: skip
    assert code == 2
    assert "impossible" in told and "bell:bow does not fit: needs at least" in told
