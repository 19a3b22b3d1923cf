"""What all tests share: a cache of their own, and the real data where there is some."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fake_cuda import FakeCuda

_CACHE = "TIMBREBENCH_CACHE"
_DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    """Before any test module is imported, since some read the registry then. The workers of
    xdist inherit the folder of the process that started them."""
    if not hasattr(config, "workerinput"):
        os.environ[_CACHE] = tempfile.mkdtemp(prefix="timbrebench-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[_CACHE], ignore_errors=True)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv(_CACHE, str(folder))
    return folder


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> "FakeCuda":
    """A machine with two CUDA devices, as far as a machine without one can try it."""
    from fake_cuda import FakeCuda  # torch is not for every test

    return FakeCuda(monkeypatch)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real recordings, of which nothing is ever committed."""
    folder = Path(os.environ.get("TIMBREBENCH_TEST_DATA", _DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip("no real data: set TIMBREBENCH_TEST_DATA to its folder")
    return folder
