"""Full and read-only disks, Ctrl-C and rotten weights, at the points of a run where they hurt: said
in words, nothing lost, and the same results in the end."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile as sf
from killed_runs import (
    Point,
    Runs,
    finished,
    half_files,
    lost_checkpoints,
    read_only,
    results,
    small_disk,
    undisturbed,
)

from timbrebench.core import files

pytestmark = pytest.mark.acceptance

WORDS = (
    "--methods palette,copy --no-controls --steps 12 --precision fp32 --tasks bell:bow "
    "-o palette.widths=8/8/16 -o palette.blocks=1 -o palette.batch=4 -o palette.steps=2 "
    "--checkpoint-seconds 0 --metrics mel_l1,fad_logmel"
).split()
KIB = 1024
# (what, the point at which the disk fills up, what is left free, exit code, what is said)
FULL = [
    ("a checkpoint", ("train", "make", "*.pt", 3), 512 * KIB, 1, "failed (train)"),
    ("a checkpoint, no byte left", ("train", "make", "*.pt", 2), 0, 2, "cannot write to"),
    ("the model", ("train", "make", "*.safetensors", 1), 128 * KIB, 1, "failed (train)"),
    ("an estimate", ("evaluate", "make", "*.flac", 2), 16 * KIB, 1, "failed (estimate)"),
    ("scores", ("evaluate", "make", "*.npz", 1), 0, 2, "cannot write to"),
    ("the result", ("bench", "make", "*.json", 2), 0, 2, "cannot write to"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return undisturbed(tmp_path_factory.mktemp("whole"), WORDS)


def test_a_full_disk_costs_one_line_and_nothing_else(whole: Runs, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        runs = Runs(whole.data, disk / "run", whole.words)
        for what, at, room, expected, said in FULL:
            before = finished(runs.out)
            point = Point(what, *at, how="fill", bytes=room, disk=str(disk))
            reached, code, told = runs.disturbed(point)
            assert reached, what
            assert (code, said in told) == (expected, True), (what, told)
            assert "No space left on device" in told and "Free some" in told, (what, told)
            assert not half_files(runs.out) and not lost_checkpoints(runs.out), what
            assert finished(runs.out).items() >= before.items(), what
            (disk / "ballast").unlink()
        code, told = runs.run()
        assert code == 0, told
        assert results(runs.out) == results(whole.out)


def test_a_read_only_folder_can_be_read(whole: Runs, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        runs = Runs(whole.data, disk / "run", (*whole.words, "--json"))
        shutil.copytree(whole.out, runs.out)
        read_only(disk, True)
        code, told = runs.run()
        assert (code, told.count("\n")) == (2, 1) and "Read-only file system" in told
        assert bench("show", str(runs.out))[0] == 0
        code, told = bench("report", str(runs.out))
        assert "Traceback" not in told and "Read-only file system" in told, told
        read_only(disk, False)


@pytest.mark.parametrize("group", [True, False])
def test_an_interrupted_run_goes_on(whole: Runs, tmp_path: Path, group: bool) -> None:
    runs = Runs(whole.data, tmp_path / "run", whole.words)
    for pattern in ("run.json", "models/*/checkpoint.pt", "cells/*/evaluate.job.json"):
        code, told = runs.interrupted_at(pattern, group=group)
        assert code == 130, (pattern, told)
        kept = [files.read_json(path)["status"] for path in runs.out.glob("cells/*/result.json")]
        assert len(kept) == 2 and "interrupted" in kept, pattern
    code, told = runs.run()
    assert code == 0, told
    assert results(runs.out) == results(whole.out)


def test_weights_that_rotted_are_told_and_the_hint_helps(whole: Runs, tmp_path: Path) -> None:
    """Size and time of the last change are as they were: the run itself does not notice."""
    runs = Runs(whole.data, tmp_path / "run", whole.words)
    shutil.copytree(whole.out, runs.out, copy_function=shutil.copy2)
    assert runs.run()[0] == 0  # it has seen its models whole
    (weights,) = runs.out.glob("models/*/model.safetensors")
    content, state = bytearray(weights.read_bytes()), weights.stat()
    content[-1] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(state.st_atime_ns, state.st_mtime_ns))
    (cell,) = (p.parent for p in runs.out.glob("cells/*/cell.json") if "palette" in p.read_text())
    source = next((whole.data / "bell").iterdir())
    words = "transfer", str(cell), str(source), "-o", str(tmp_path / "out.wav")
    code, told = bench(*words)
    assert code == 2 and f"Remove {weights.parent} and repeat the run" in told
    assert "started" not in runs.run()[1], "the hint is needed"
    shutil.rmtree(weights.parent)
    code, told = runs.run()
    assert code == 0, told
    assert bench(*words)[0] == 0 and sf.info(tmp_path / "out.wav").frames > 0
    assert results(runs.out) == results(whole.out)


def bench(*words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "timbrebench", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr
