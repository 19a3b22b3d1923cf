"""The command line starts at once, and what only workers need is not loaded for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "librosa", "essentia", "pandas", "ray")
LIMIT = 0.3  # seconds, where LIBRARIES load in NOMINAL; on a slower machine in proportion
NOMINAL = 0.1
LIBRARIES = "import click, rich.table, importlib.metadata, dataclasses, inspect, subprocess"
TRIES = 7  # the best counts: other work on the machine is none of ours

COMMANDS = {
    "help": ["--help"],
    "list": ["list", "methods"],
    "plan": ["plan", "--methods", "palette,copy", "--dataset", "starlet", "--steps", "100"],
}
PROGRAM = f"""
import sys
from timbrebench.cli import main
code = main(sys.argv[1:])
print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """The first plan traces the methods and keeps what it counted; the first list reads the
    manifests of other packages."""
    for words in COMMANDS.values():
        subprocess.run([sys.executable, "-c", PROGRAM, *words], check=True, capture_output=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_heavy_is_loaded(name: str) -> None:
    words = [sys.executable, "-c", PROGRAM, *COMMANDS[name]]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr.split()) == (0, [])


def cpu_seconds(words: list[str]) -> float:
    """Of a process and its children. Its own computing, whatever else the machine does; its
    modules compiled, as they are after the first time."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with Path(os.devnull).open("w") as quiet:
        process = subprocess.Popen(words, stdout=quiet, stderr=quiet, env=environment)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", COMMANDS)
def test_it_starts_at_once(name: str) -> None:
    ours, theirs = [], []
    for _ in range(TRIES):  # by turns: a machine's speed changes while it is measured
        ours.append(cpu_seconds([sys.executable, "-m", "timbrebench", *COMMANDS[name]]))
        theirs.append(cpu_seconds([sys.executable, "-c", LIBRARIES]))
    assert min(ours) < LIMIT * max(1, min(theirs) / NOMINAL)
