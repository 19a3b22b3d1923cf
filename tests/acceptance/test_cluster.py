"""``bench run --executor ray`` on a cluster of three nodes, of which one is killed while it trains:
all cells are done, none is trained twice to its end, and the scores are those of a run here."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ray_clusters import three_nodes

from timbrebench.testing import tiny_corpus

pytest.importorskip("ray", reason="pip install 'timbrebench[ray]'")
pytestmark = pytest.mark.acceptance

STEPS = 80
WORDS = [
    *("--methods", "palette,copy", "--no-controls", "--seeds", "0,1", "--steps", str(STEPS)),
    *("-o", "palette.widths=8/8/16", "-o", "palette.blocks=1", "-o", "palette.steps=2"),
    *("-o", "palette.batch=4", "--precision", "fp32", "--tasks", "bell:bow"),
    *("--checkpoint-seconds", "0", "--threads", "1", "--metrics", "mel_l1,fad_logmel"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    tiny_corpus(folder)
    return folder


@pytest.fixture
def cluster() -> Iterator[Any]:
    with three_nodes(1, 1) as made:
        yield made


def start(data: Path, out: Path, *words: str) -> "subprocess.Popen[str]":
    split = ["--data-root", str(data), "--split", "valid=tune3;test=tune4,tune5"]
    bench = [sys.executable, "-m", "timbrebench", "run", "--dataset", "folder"]
    return subprocess.Popen(
        [*bench, *split, "--out", str(out), *WORDS, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(what: Callable[[], Any], seconds: float = 300) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def raylet_of(model: Path) -> int:
    """The node that trains a model: the parent of the task that looks after its worker."""
    keeper = json.loads((model / "train.job.json").read_text())["parent"]
    return int(Path(f"/proc/{keeper}/stat").read_text().rpartition(")")[2].split()[1])


def training(out: Path) -> list[Path]:
    """The models that have checkpoints and are not done."""
    begun = (path.parent for path in out.glob("models/*/checkpoint-previous.pt"))
    return [model for model in begun if not (model / "stage.json").exists()]


def scores(out: Path) -> dict[tuple[Any, ...], Any]:
    rows = map(json.loads, (out / "scores.jsonl").read_text().splitlines())
    timed = ("second", "factor", "rss")
    return {
        (r["cell"], r["task"], r["metric"], r["item"]): (r["status"], r["value"])
        for r in rows
        if not any(word in r["metric"] for word in timed)
    }


def test_a_node_killed_in_the_middle(data: Path, cluster: Any, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    told, _ = (local := start(data, here)).communicate()
    assert local.returncode == 0, told
    remote = start(data, there, "--executor", "ray", "--ray-address", cluster.address)
    nodes = {n.all_processes["raylet"][0].process.pid: n for n in cluster.worker_nodes}
    model = wait_for(lambda: [m for m in training(there) if raylet_of(m) in nodes])[0]
    cluster.remove_node(nodes[raylet_of(model)], allow_graceful=False)
    assert not (model / "stage.json").exists(), "it was killed too late to show anything"
    told, _ = remote.communicate()
    assert remote.returncode == 0, told
    assert "its node was lost, once more" in told and "goes on at step" in told
    models = [path.parent for path in there.glob("models/*/stage.json")]
    assert len(models) == 2
    for each in models:
        points = [json.loads(line) for line in (each / "curve.jsonl").read_text().splitlines()]
        assert sum(p["step"] == STEPS and "loss" in p for p in points) == 1
    ends = [line for line in told.splitlines() if "· train" in line and line.endswith(": ok")]
    assert len(ends) == len(models)
    assert scores(there) == scores(here)


def test_an_interruption_leaves_nothing_running_and_can_go_on(
    data: Path, cluster: Any, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = ("--executor", "ray", "--ray-address", cluster.address)
    first = start(data, out, *words)
    model = wait_for(lambda: training(out))[0]
    first.send_signal(signal.SIGINT)
    told, _ = first.communicate()
    assert first.returncode == 130 and "interrupted" in told, told
    assert not _running(out) and not list(out.rglob("*.events.jsonl"))
    assert not list(out.glob(".shared-*"))
    assert (model / "checkpoint.pt").exists() and not (model / "stage.json").exists()
    results = [json.loads(p.read_text())["status"] for p in out.glob("cells/*/result.json")]
    assert len(results) == 4 and "interrupted" in results
    again = start(data, out, *words)
    told, _ = again.communicate()
    assert again.returncode == 0 and "goes on at step" in told, told


def test_a_killed_run_leaves_nothing_running(data: Path, cluster: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ("--executor", "ray", "--ray-address", cluster.address)
    first = start(data, out, *words)
    wait_for(lambda: training(out))
    os.kill(first.pid, signal.SIGKILL)
    wait_for(lambda: not _running(out), 60)
    assert list(out.glob("models/*/checkpoint.pt"))


def _running(out: Path) -> list[str]:
    """Command lines of the processes that work in a run folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "timbrebench.benchmarks.worker" in words and any(str(out) in w for w in words):
            found.append(" ".join(words))
    return found
