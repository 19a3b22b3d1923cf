"""Runs that are stopped at a few points, meet each other, or a disk that is full or read-only. More
of each: tests/acceptance/test_kills.py and test_faults.py."""

import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest
from killed_runs import (
    Point,
    Runs,
    finished,
    half_files,
    lost_checkpoints,
    parts,
    read_only,
    results,
    small_disk,
    undisturbed,
    wait_for,
)

from timbrebench.core import files

# A palette that trains in seconds.
WORDS = (
    "--methods palette,copy --no-controls --steps 12 --precision fp32 --tasks bell:bow "
    "-o palette.widths=8/8/16 -o palette.blocks=1 -o palette.batch=4 -o palette.steps=2 "
    "--checkpoint-seconds 0 --metrics mel_l1,fad_logmel"
).split()
POINTS = [
    Point("in the middle of a checkpoint", "train", "make", "*.pt", 2, how="write", bytes=900),
    Point("in the middle of an estimate", "evaluate", "make", "*.flac", 2, how="write", bytes=900),
    Point("before a score, with the whole run", "evaluate", "rename", "fad*.json", how="both"),
    Point("before the result of a cell", "bench", "rename", "result.json"),
    Point("before the scores of the run", "bench", "rename", "scores.csv"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return undisturbed(tmp_path_factory.mktemp("whole"), WORDS)


def test_a_stopped_run_ends_with_the_scores_of_one_never_stopped(
    whole: Runs, tmp_path: Path
) -> None:
    runs = Runs(whole.data, tmp_path / "run", whole.words)
    code, told = runs.interrupted_at("models/*/checkpoint.pt", group=True)
    assert code == 130, told
    kept = [files.read_json(path) for path in runs.out.glob("cells/*/result.json")]
    assert [result["status"] for result in kept] == ["interrupted"] * 2
    for point in POINTS:
        before = finished(runs.out)
        assert runs.killed(point), f"it did not come to {point}"
        assert not half_files(runs.out) and not lost_checkpoints(runs.out), point
        assert finished(runs.out).items() >= before.items(), point
    code, told = runs.run()
    assert code == 0 and "started" in told, told  # the comparisons
    assert results(runs.out) == results(whole.out)
    assert not parts(runs.out)
    assert (runs.out / "scores.csv").read_text() == (whole.out / "scores.csv").read_text()


def test_the_comparisons_are_those_of_the_scores(whole: Runs) -> None:
    found = results(whole.out)
    rows = [(r["method"], r["rival"], r["metric"], r["n"]) for r in found["comparisons"]]
    assert rows == [("palette", "copy", "fad_logmel", 2)]
    means = {
        r["method"]: r["value"]
        for r in found["rows"]
        if r["metric"] == "fad_logmel" and not r["item"]
    }
    difference = means["palette"] - means["copy"]
    assert found["comparisons"][0]["value"] == pytest.approx(difference, rel=1e-6)


# ---------------------------------------------------------------------------- two at once


def controls(data: Path, out: Path, *methods: str) -> Runs:
    """A run that trains nothing."""
    words = f"--methods {','.join(methods)} --no-controls --tasks bell:bow --metrics level_error_db"
    return Runs(data, out, tuple(words.split()))


def statuses(out: Path) -> dict[str, str]:
    records = [path.parent for path in out.glob("cells/*/cell.json")]
    return {
        files.read_json(cell / "cell.json")["label"]: files.read_json(cell / "result.json")[
            "status"
        ]
        for cell in records
    }


def test_of_two_runs_on_one_folder_one_is_refused_and_nothing_is_lost(
    whole: Runs, tmp_path: Path
) -> None:
    one, two = (controls(whole.data, tmp_path / "run", name) for name in ("copy", "noise"))
    with one.started() as first:
        wait_for(one.out, "run.json")
        code, told = two.run()
        assert (code, told.count("\n")) == (2, 1) and "another bench run is writing" in told
        assert "1 of 1 cells are done" in first.communicate(timeout=120)[0]
    code, told = two.run()
    assert code == 0, told
    assert statuses(one.out) == {"copy": "ok", "noise": "ok"}
    rows = (one.out / "scores.csv").read_text()
    assert ",copy," in rows and ",noise," in rows


# ---------------------------------------------------------------------------- terminals


def test_a_terminal_that_is_closed_stops_a_run(whole: Runs, tmp_path: Path) -> None:
    """As Ctrl-C does; the last line has nowhere to go."""
    runs = Runs(whole.data, tmp_path / "run", whole.words)
    process, terminal = pty.fork()
    if not process:
        os.execv(runs.command[0], runs.command)
    end = time.monotonic() + 120
    while not list(runs.out.glob("models/*/checkpoint.pt")):
        assert time.monotonic() < end
        if select.select([terminal], [], [], 0.02)[0]:
            os.read(terminal, 1 << 16)  # a full one would stop the run
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130
    assert set(statuses(runs.out).values()) == {"interrupted"}


def test_a_run_that_shall_outlive_its_terminal_does(whole: Runs, tmp_path: Path) -> None:
    runs = controls(whole.data, tmp_path / "run", "copy")
    command = ["nohup", *runs.command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        wait_for(runs.out, "run.json")
        process.send_signal(signal.SIGHUP)
        told, _ = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert statuses(runs.out) == {"copy": "ok"}


# ---------------------------------------------------------------------------- disks


def test_a_disk_that_is_full_and_one_that_is_read_only(whole: Runs, tmp_path: Path) -> None:
    """It fills up while an estimate is written: the cell says so, and goes on where there is room
    again. Read-only, it costs one line."""
    with small_disk(tmp_path / "disk") as disk:
        runs = controls(whole.data, disk / "run", "copy")
        point = Point("", "evaluate", "make", "*.flac", 2, "fill", 16384, disk=str(disk))
        reached, code, told = runs.disturbed(point)
        assert (reached, code) == (True, 1), told
        assert "copy, seed 0: failed (estimate)" in told
        assert "No space left on device" in told
        assert not half_files(runs.out) and not parts(runs.out)
        before = finished(runs.out)
        (disk / "ballast").unlink()
        read_only(disk, True)
        code, told = runs.run()
        assert (code, told.count("\n")) == (2, 1), told
        assert "Read-only file system" in told and "--out DIR" in told
        read_only(disk, False)
        code, told = runs.run()
        assert code == 0, told
        assert statuses(runs.out) == {"copy": "ok"}
        assert finished(runs.out).items() >= before.items()
