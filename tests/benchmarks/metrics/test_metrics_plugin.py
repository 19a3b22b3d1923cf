"""The list of metrics is light, and every class that it names is there."""

import subprocess
import sys

import pytest

from timbrebench.benchmarks.metrics.plugin import EMBEDDINGS, METRICS
from timbrebench.core.interfaces import CellMetric, Embedding, PairMetric, SetMetric
from timbrebench.core.registry import load

KINDS = {"pair": PairMetric, "set": SetMetric, "cell": CellMetric}


def test_the_list_imports_nothing_heavy() -> None:
    code = "import sys, timbrebench.benchmarks.metrics.plugin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "torch", "essentia", "librosa", "soundfile", "scipy", "urllib.request"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.parametrize("info", [*METRICS, *EMBEDDINGS], ids=lambda info: info.name)
def test_factories_exist(info) -> None:
    assert issubclass(load(info.factory), KINDS[info.kind] if info in METRICS else Embedding)
