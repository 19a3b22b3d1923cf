"""A corpus of three synthetic instruments, small options, and training for a few steps."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from timbrebench.core import options, training
from timbrebench.core.interfaces import StageContext, Trained
from timbrebench.core.records import Corpus, Task
from timbrebench.methods.ldm.model import LatentDiffusion
from timbrebench.methods.ldm.plugin import INFO, Options
from timbrebench.testing.corpus import tiny_corpus

SMALL = {
    "latent_dim": 4,
    "autoencoder_width": 8,
    "widths": (32, 32),
    "style_dim": 16,
    "batch": 2,
    "autoencoder_batch": 2,
    "steps": 3,
    "style_clips": 2,
}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return tiny_corpus(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def task() -> Task:
    return Task("transfer", "bell", "bow")


@pytest.fixture(scope="session")
def options_of() -> Callable[..., Options]:
    """Options of a small model, with what is given changed."""

    def make(**given: object) -> Options:
        specs = options.describe(Options)
        values = options.resolve("ldm", specs, INFO.presets, {**SMALL, **given})
        return options.build(Options, values)

    return make


@pytest.fixture(scope="session")
def trained(corpus: Corpus, task: Task) -> Callable[..., LatentDiffusion]:
    """(method, steps, folder, corpus, validation examples) → the method, ready for inference;
    curves are left in the folder."""

    def make(
        method: LatentDiffusion, steps: int, folder: Path, corpus: Corpus = corpus, valid: int = 2
    ) -> LatentDiffusion:
        finished: dict[str, Trained] = {}
        for stage in method.stages(corpus, [task]):
            stage.recipe = replace(stage.recipe, valid_examples=valid)
            context = StageContext(corpus, finished, "cpu", lambda what, share: None)
            place = folder / stage.name
            place.mkdir(parents=True)
            plan = training.TrainPlan(steps, 0, corpus.fingerprint)
            record = training.train(stage, context, plan, place, lambda event: None)
            module = stage.build()
            module.load_state_dict(load_file(place / "model.safetensors"))
            finished[stage.name] = Trained(module.eval(), record["state"])
        method.setup(corpus, finished, "cpu")
        return method

    return make


@pytest.fixture(scope="session")
def last_validation() -> Callable[[Path], dict[str, float]]:
    """The last validation of a stage's folder."""

    def read(folder: Path) -> dict[str, float]:
        lines = (folder / "curve.jsonl").read_text().splitlines()
        return [p for p in map(json.loads, lines) if "valid_loss" in p][-1]

    return read
