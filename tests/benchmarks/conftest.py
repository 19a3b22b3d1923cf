"""A tiny corpus on disk, and a registry with methods that exist in name only."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from timbrebench.benchmarks.config import RunConfig
from timbrebench.core.interfaces import MethodInfo
from timbrebench.core.manifest import Entry
from timbrebench.core.options import describe, option
from timbrebench.core.registry import OURS, Registry, registry
from timbrebench.testing import tiny_corpus

SPLIT = "valid=tune3;test=tune4,tune5"


@dataclass(frozen=True)
class LearnerOptions:
    width: int = option(64, "channels")
    steps: int = option(20, "of sampling", affects="sampling")


PRESETS: Mapping[str, Mapping[str, Any]] = {"quick": {"width": 8}, "paper": {"width": 256}}


def entry(name: str, distribution: str = OURS, code: str = "code", **fields: Any) -> Entry:
    """A method that nothing can load."""
    info = MethodInfo(name, "", "nowhere:Nothing", LearnerOptions, PRESETS, **fields)
    options = describe(LearnerOptions)
    return Entry("method", info, options, "nowhere:Options", distribution, "1.0", code)


METHODS = (
    entry("learner", supervision="paired"),
    entry("lonely", supervision="unpaired", mel="ldm"),
    entry("player", trains=False, mel=""),
    entry("maker", kinds=("generate",)),
    entry("theirs", "stranger"),
)


@pytest.fixture
def plugins() -> Registry:
    """Ours, and the methods above."""
    return Registry((*registry().entries, *METHODS))


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six tracks of a reed, a bow and a bell, as the folder dataset reads them."""
    folder = tmp_path_factory.mktemp("corpus")
    tiny_corpus(folder, seconds=1.0)
    return folder


@pytest.fixture
def config(corpus_folder: Path):
    """A configuration for that corpus, with what is given changed."""

    def make(*methods: str, **fields: Any) -> RunConfig:
        known: dict[str, Any] = {
            "methods": methods or ("learner",),
            "dataset": "folder",
            "data_root": str(corpus_folder),
            "split": SPLIT,
            "tasks": ("bell:bow",),
            "controls": False,
            "precision": "fp32",
        }
        return RunConfig(**(known | fields))

    return make
