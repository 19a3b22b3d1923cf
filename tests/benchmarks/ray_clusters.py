"""A Ray cluster in this machine, for the tests of the executor."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@contextlib.contextmanager
def three_nodes(head: int, others: int, python_path: str = "", **each: int) -> Iterator[Any]:
    """A head with so many cores, and two nodes with so many each and what ``each`` has besides.
    ``python_path``: where their processes find modules too."""
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # names of sockets have to be short
    (Path(folder) / "ray").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        if python_path:
            patch.setenv("PYTHONPATH", python_path, prepend=os.pathsep)
        from ray.cluster_utils import Cluster

        made = Cluster()
        made.add_node(num_cpus=head, include_dashboard=False)
        for _ in range(2):
            made.add_node(num_cpus=others, **each)
        yield made
        made.shutdown()
    shutil.rmtree(folder, ignore_errors=True)
