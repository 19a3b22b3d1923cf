"""One process at a time: another is refused in words, and a kill frees the place."""

import subprocess
import sys
from pathlib import Path

import pytest

from timbrebench.core.alone import alone
from timbrebench.core.errors import BenchError

_HOLD = """
import sys
from pathlib import Path
from timbrebench.core.alone import alone
with alone(Path(sys.argv[1]), "corpus"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    holding = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holding.stdout and holding.stdout.readline() == "held\n"
    with (
        pytest.raises(BenchError, match="another process is preparing corpus"),
        alone(folder, "corpus"),
    ):
        pass
    with alone(folder, "another"):
        pass
    holding.kill()
    holding.wait()
    with alone(folder, "corpus"):
        pass


def test_what_the_block_raises_is_raised(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), alone(tmp_path, "corpus"):
        raise BlockingIOError
    with pytest.raises(PermissionError), alone(tmp_path, "corpus"):
        raise PermissionError
