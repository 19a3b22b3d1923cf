"""``bench tune`` as its users run it: a stranger's method, processes, a stop, a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from timbrebench.cli import main
from timbrebench.testing import tiny_corpus

TRIALS = 2
# A method whose score is known: it plays one pitch, and the metric tells how far that is from A4.
SIREN = """
from dataclasses import dataclass

from timbrebench.core.hookspecs import hookimpl
from timbrebench.core.interfaces import Measure, Method, MethodInfo, MetricInfo, PairMetric, Span
from timbrebench.core.options import option
from timbrebench.core.records import Clip


@dataclass(frozen=True)
class Options:
    hz: float = option(100.0, "of its pitch", low=1)
    level: int = option(1, "in tenths", low=1)


class Siren(Method):
    def transfer(self, clips, task, styles, rngs):
        import numpy as np

        def tone(n, rate):
            wave = np.sin(2 * np.pi * self.options.hz * np.arange(n) / rate)
            return (0.1 * self.options.level * wave).astype("float32")

        return [Clip(tone(len(c.samples), c.rate), c.rate) for c in clips]


class Detune(PairMetric):
    def measure(self, reference, estimate):
        import numpy as np

        loudest = np.abs(np.fft.rfft(estimate.samples)).argmax()
        return {"detune_hz": abs(loudest / estimate.seconds - 440)}


@hookimpl
def timbrebench_methods():
    search = {"hz": Span(220, 880), "level": (1, 5)}
    return [MethodInfo("siren", "one pitch", "siren:Siren", Options, search=search, trains=False,
                       mel="")]


@hookimpl
def timbrebench_metrics():
    measures = (Measure("detune_hz", "Hz", higher_is_better=False),)
    return [MetricInfo("detune_hz", "distance from A4", "siren:Detune", measures=measures)]
"""


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the stranger's package is installed."""
    site = tmp_path_factory.mktemp("site")
    (site / "siren.py").write_text(SIREN)
    metadata = site / "siren_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: siren-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[timbrebench]\nsiren = siren\n")
    return {**os.environ, "PYTHONPATH": str(site)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    tiny_corpus(folder, seconds=1.0)
    return folder


@pytest.fixture(scope="module")
def command(data: Path) -> Callable[..., list[str]]:
    def words(out: Path, *more: object) -> list[str]:
        what = ["--method", "siren", "--objective", "detune_hz", "--trials", TRIALS, "--json"]
        where = ["--dataset", "folder", "--data-root", data, "--tasks", "bell:bow", "--out", out]
        split = ["--split", "valid=tune3;test=tune4,tune5"]
        start = [sys.executable, "-m", "timbrebench", "tune"]
        return [*start, *map(str, [*what, *where, *split, *more])]

    return words


@pytest.fixture(scope="module")
def whole(
    command: Callable[..., list[str]],
    env: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, Any]]:
    """A search that nothing disturbed: its folder and what it printed."""
    out = tmp_path_factory.mktemp("whole")
    done = subprocess.run(command(out), capture_output=True, text=True, env=env, timeout=280)
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def test_the_best_is_the_trial_nearest_to_what_is_measured(whole) -> None:
    out, told = whole
    assert json.loads((out / "tuning.json").read_text()).items() <= told.items()
    assert len(told["trials"]) == TRIALS
    for trial in told["trials"]:
        assert trial["value"] == pytest.approx(abs(trial["options"]["hz"] - 440), abs=1)
        assert trial["seconds"] > 0
    best = min(told["trials"], key=lambda t: abs(t["options"]["hz"] - 440))
    assert told["best"]["number"] == best["number"]
    hz, level = (best["options"][k] for k in ("hz", "level"))
    assert told["best"]["words"] == f"-o siren.hz={hz} -o siren.level={level}"


def test_no_test_track_is_touched(whole) -> None:
    estimates = {p.stem for p in whole[0].glob("cells/*/estimates/*/*.flac")}
    assert estimates == {"tune3"}
    assert {p.stem for p in whole[0].glob("references/*/*/*.flac")} == {"tune3"}


def test_stopped_and_killed_it_ends_as_one_never_disturbed(
    whole, command: Callable[..., list[str]], env: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    for finished, number, code in ((0, signal.SIGINT, 130), (1, signal.SIGKILL, -signal.SIGKILL)):
        process = subprocess.Popen(command(out), stdout=subprocess.DEVNULL, env=env)
        wait_for_trial_after(out, finished)
        process.send_signal(number)
        assert process.wait(60) == code
        assert len(trials(out)) == finished
    done = subprocess.run(command(out), capture_output=True, text=True, env=env, timeout=280)
    assert done.returncode == 0, done.stderr
    assert undated(trials(out)) == undated(whole[1]["trials"])


def trials(out: Path) -> list[dict[str, Any]]:
    file = out / "tuning.json"
    return json.loads(file.read_text())["trials"] if file.exists() else []


def undated(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in trial.items() if k != "seconds"} for trial in found]


def wait_for_trial_after(out: Path, finished: int, seconds: float = 120) -> None:
    """Until ``finished`` trials are done and the cell of another has begun."""
    end = time.monotonic() + seconds
    while len(trials(out)) < finished or len(list(out.glob("cells/*/log.txt"))) <= finished:
        assert time.monotonic() < end, "no trial began"
        time.sleep(0.02)


def test_a_person_reads_a_table_the_best_and_what_to_think_of_the_importance(
    whole, command: Callable[..., list[str]], env: dict[str, str]
) -> None:
    words = command(whole[0], "--format", "table")
    words.remove("--json")
    done = subprocess.run(words, capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    best = whole[1]["best"]
    for part in ("detune_hz on validation tracks", best["words"], "PED-ANOVA", "too few"):
        assert part in done.stdout


def test_a_failed_trial_is_told_by_the_exit_code(
    whole, command: Callable[..., list[str]], env: dict[str, str]
) -> None:
    """One clip of a second is too little for a Fréchet distance; the estimate is there."""
    words = command(whole[0], "--objective", "fad_logmel", "--trials", 1)
    done = subprocess.run(words, capture_output=True, text=True, env=env, timeout=60)
    told = json.loads(done.stdout)
    assert (done.returncode, told["best"]) == (1, None)
    assert [t["state"] for t in told["trials"]] == ["failed"]
    assert "at least 2" in told["trials"][0]["reason"]


def test_a_method_without_a_search_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["tune", "--method", "copy", "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err
    assert "method 'copy' declares no options to search" in told
    assert not (tmp_path / "run").exists()
