"""``bench run`` in processes of its own, which may be killed at a chosen point; and what is in its
folder then. For the tests of killed runs."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from timbrebench.core import files
from timbrebench.core.training import load_checkpoint
from timbrebench.testing import tiny_corpus

HOOK = Path(__file__).parents[1] / "data" / "kills"
PARTS = ".part-*"  # what half-written files are called
TIMED = ("second", "factor", "rss")  # in the names of metrics that depend on the machine


@dataclass(frozen=True)
class Point:
    """Where a process is ended: tests/data/kills/sitecustomize.py says what each field is."""

    phase: str  # for people
    role: str
    operation: str
    name: str
    number: int = 1
    how: str = "self"
    bytes: int = 0
    after: float = 0.0
    disk: str = ""


@dataclass
class Runs:
    """Runs of one command line into one folder."""

    data: Path
    out: Path
    words: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        start = [sys.executable, "-m", "timbrebench", "run", "--dataset", "folder"]
        split = "valid=tune3;test=tune4,tune5"
        where = ["--data-root", str(self.data), "--split", split, "--out", str(self.out)]
        return [*start, *where, *self.words]

    def run(self) -> tuple[int, str]:
        """(exit code, all that it said), undisturbed."""
        done = subprocess.run(self.command, capture_output=True, text=True, timeout=600)
        told = done.stdout + done.stderr
        assert "Traceback" not in told, told
        return done.returncode, told

    def killed(self, point: Point) -> bool:
        """Runs until it ends, by itself or at the point; whether it got there."""
        return self.disturbed(point)[0]

    def disturbed(self, point: Point) -> tuple[bool, int, str]:
        """(whether it came to the point, exit code, all that it said)"""
        mark = self.data.parent / f"reached-{os.getpid()}"
        mark.unlink(missing_ok=True)
        path = os.pathsep.join([str(HOOK), *filter(None, [os.environ.get("PYTHONPATH")])])
        told = json.dumps({**asdict(point), "mark": str(mark)})
        env = {**os.environ, "PYTHONPATH": path, "TIMBREBENCH_TEST_KILL": told}
        done = subprocess.run(self.command, env=env, capture_output=True, text=True, timeout=600)
        told = done.stdout + done.stderr
        assert "Traceback" not in told, told
        return mark.exists(), done.returncode, told

    def killed_after(self, seconds: float) -> bool:
        """Kills its process group then; False where it had ended."""
        with self.started() as process:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return True
        return False

    def interrupted_at(self, pattern: str, *, group: bool) -> tuple[int, str]:
        """Sends SIGINT when such a file is there: to its process group, as a terminal does, or to
        it alone. (exit code, all that it said)"""
        with self.started() as process:
            wait_for(self.out, pattern)
            (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
            told, _ = process.communicate(timeout=60)
        assert "Traceback" not in told, told
        return process.returncode, told

    def started(self) -> "subprocess.Popen[str]":
        """In a process group of its own; workers have sessions of theirs, and die with it."""
        out, how = subprocess.PIPE, {"text": True, "start_new_session": True}
        return subprocess.Popen(self.command, stdout=out, stderr=subprocess.STDOUT, **how)


def undisturbed(folder: Path, words: Sequence[str]) -> Runs:
    """A corpus, and a run of it that nothing disturbed: what others are held against."""
    tiny_corpus(folder / "data", seconds=1.5)
    runs = Runs(folder / "data", folder / "run", tuple(words))
    code, told = runs.run()
    assert code == 0, told
    return runs


def wait_for(folder: Path, pattern: str, seconds: float = 120) -> Path:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := list(folder.glob(pattern)):
            return found[0]
        time.sleep(0.02)
    raise AssertionError(f"{pattern} did not appear")


# ---------------------------------------------------------------------------- a small disk


@contextlib.contextmanager
def small_disk(folder: Path, mebibytes: int = 24) -> Iterator[Path]:
    """A file system of its own; the test is skipped where none may be mounted."""
    folder.mkdir()
    how = ["-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    try:
        made = subprocess.run(["mount", *how], capture_output=True).returncode == 0
    except OSError:
        made = False
    if not made:
        pytest.skip("no file system may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def read_only(disk: Path, on: bool) -> None:
    mode = "ro" if on else "rw"
    subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], check=True)


# ---------------------------------------------------------------------------- what is there


def parts(root: Path) -> list[Path]:
    return list(root.rglob(PARTS))


def half_files(root: Path) -> list[str]:
    """Files under their final names that are not whole."""
    found = [path for path in root.rglob("*") if path.is_file() and not path.match(PARTS)]
    return [str(path.relative_to(root)) for path in found if not _whole(path)]


def _whole(path: Path) -> bool:
    read = {
        ".json": files.read_json,
        ".jsonl": lambda p: [json.loads(line) for line in p.read_text().splitlines()],
        ".flac": soundfile.read,
        ".npz": lambda p: list(np.load(p).values()),
    }.get(path.suffix, lambda p: None)
    try:
        value = read(path)
    except Exception:
        return False
    if path.name == "stage.json":
        return value["sha256"] == files.sha256_of(path.with_name("model.safetensors"))
    if path.suffix == ".flac":
        return len(value[0]) == soundfile.info(path).frames > 0
    return path.suffix != ".json" or isinstance(value, (dict, list))


def lost_checkpoints(root: Path) -> list[str]:
    """Models with checkpoints of which none can be gone on from. Removes the damaged."""
    folders = {path.parent for path in root.glob("models/*/checkpoint*.pt")}
    return [folder.name for folder in folders if load_checkpoint(folder, "cpu") is None]


def finished(root: Path) -> dict[str, tuple[int, int]]:
    """Each file that is finished: (inode, time of its last change). One that is made again has
    others, whatever is in it."""
    found = [p for p in _finished(root) if p.is_file() and not p.match(PARTS)]
    return {str(p.relative_to(root)): (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}


def _finished(root: Path) -> Iterator[Path]:
    for record in root.glob("models/*/stage.json"):
        yield from (record, record.with_name("model.safetensors"))
    yield from root.glob("references/*/*/*.flac")
    for cell in root.glob("cells/*"):
        for item in _items(cell):
            yield cell / item["file"]
        if (cell / "outcome.json").exists():
            yield from (cell / "estimates.json", cell / "outcome.json")
            for score in cell.glob("scores/*.json"):  # written after its evidence
                yield from (score, score.with_suffix(".npz"))


def _items(cell: Path) -> list[Mapping[str, Any]]:
    known = [cell / name for name in ("estimates.json", "estimates.partial.json")]
    return [item for path in known if path.exists() for item in files.read_json(path)["items"]]


# ---------------------------------------------------------------------------- what came of it


def results(root: Path) -> dict[str, Any]:
    """All of a folder that may not depend on how often the run was killed."""
    rows = [json.loads(line) for line in (root / "scores.jsonl").read_text().splitlines()]
    made = [*root.glob("cells/*/estimates/**/*.flac"), *root.glob("models/*/*.safetensors")]
    return {
        "rows": [r for r in rows if not any(word in r["metric"] for word in TIMED)],
        "files": {str(p.relative_to(root)): files.sha256_of(p) for p in made},
        "comparisons": files.read_json(root / "comparisons.json")["rows"],
        "statuses": {
            p.parent.name: files.read_json(p)["status"] for p in root.glob("cells/*/result.json")
        },
    }
