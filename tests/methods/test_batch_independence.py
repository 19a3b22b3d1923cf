"""Every diffusion method, with every sampler that it offers, in ten steps: an item's result is
decided by the item and its stream, not by what else is in the call, in what order, or by how many
slices the network sees at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from timbrebench.core.interfaces import Method, MethodInfo, Stage, StageContext, Trained
from timbrebench.core.mel import preset
from timbrebench.core.options import describe
from timbrebench.core.overlap import at_once
from timbrebench.core.records import Clip, Corpus, Mels, Task
from timbrebench.core.registry import OURS, registry
from timbrebench.core.seeds import generator
from timbrebench.testing import tiny_corpus
from timbrebench.testing.infos import make

TOLERANCE = 1e-4  # of an estimate's range
TASKS = [Task("transfer", "bell", "bow"), Task("generate", "bow"), Task("pair", "bell", "bow")]
SECONDS = (1.3, 3.0)  # of the items of a transfer: one slice, and two
GENERATED = 1.5  # seconds, of the others

INSTRUMENT = {"widths": (8, 8), "patch": 8}
LATENT = {"widths": (32, 32), "autoencoder_width": 4, "style_dim": 8, "style_clips": 1}
# What is tried of a method, small; of a method that is not here, its quick preset.
CASES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "palette": [INSTRUMENT],
    "ldm": [LATENT],
    "cross": [INSTRUMENT, {**INSTRUMENT, "start": "inversion"}],
    "double": [{**INSTRUMENT, "split": 5}],
    "ddim": [{**INSTRUMENT, "seconds": 0.64}, {**INSTRUMENT, "seconds": 0.64, "context": True}],
}


@dataclass(frozen=True)
class Case:
    """A method with options, and a sampler of it."""

    info: MethodInfo
    options: Mapping[str, Any]
    sampler: str

    def __str__(self) -> str:
        told = [
            f"{k}={self.options[k]}" for k in ("variant", "start", "context") if k in self.options
        ]
        return "-".join([self.info.name, *told, self.sampler])

    @property
    def tasks(self) -> list[Task]:
        return [task for task in TASKS if task.kind in self.info.kinds]

    def method(self) -> Method:
        mel = self.options.get("mel", self.info.mel)
        given = {**self.options, "sampler": self.sampler, "steps": 10}
        return make(self.info, given, preset(mel) if mel else None)


def cases() -> list[Case]:
    found = []
    for entry in registry().of("method"):
        offered = {spec.name: spec.choices for spec in describe(entry.info.options)}
        if entry.distribution == OURS and "sampler" in offered:
            tried = CASES.get(entry.name, [{}])
            found += [Case(entry.info, o, s) for o in tried for s in offered["sampler"]]
    return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return tiny_corpus(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def ready(corpus: Corpus) -> Callable[[Case], Method]:
    """A case → its method, with networks of random weights. Samplers share the networks."""
    made: dict[str, dict[str, Trained]] = {}

    def build(case: Case) -> Method:
        method = case.method()
        stages = method.stages(corpus, case.tasks)
        key = f"{case.info.name} {case.options}"
        if key not in made:
            made[key] = {}
            for stage in stages:
                made[key][stage.name] = awake(stage, corpus, made[key])
        method.setup(corpus, made[key], "cpu")
        return method

    return build


def awake(stage: Stage, corpus: Corpus, depends: Mapping[str, Trained]) -> Trained:
    """The stage as if trained, with no layer silent."""
    state = stage.prepare(StageContext(corpus, depends, "cpu", lambda what, share: None))
    torch.manual_seed(0)
    module = stage.build().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return Trained(module, state)


Calls = Callable[[Sequence[int]], list[list[np.ndarray]]]


def calls_of(method: Method, task: Task) -> Calls:
    """Items → the mels of each, in one call: one, or two of a pair."""

    def call(items: Sequence[int]) -> list[list[np.ndarray]]:
        rngs = [generator("item", i) for i in items]
        if task.kind == "transfer":
            clips = [load(method, f"tune{4 + i}", task.a, SECONDS[i]) for i in items]
            styles = [[load(method, "tune0", task.b)] for _ in items]
            sides: Sequence[Any] = [method.transfer(clips, task, styles, rngs)]
        elif task.kind == "generate":
            sides = [method.generate(task.a, len(items), GENERATED, rngs)]
        else:
            sides = method.generate_pair(task.a, task.b, len(items), GENERATED, rngs)
        assert all(isinstance(side, Mels) for side in sides)
        return [list(mels) for mels in zip(*(side.values for side in sides), strict=True)]

    return call


def load(method: Method, track: str, instrument: str, seconds: float | None = None) -> Clip:
    assert method.corpus is not None
    rate = method.mel.rate if method.mel else method.corpus.rate
    return method.corpus.load(track, instrument, rate, seconds)


def expect_same(ones: list[np.ndarray], others: list[np.ndarray]) -> None:
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=TOLERANCE * np.ptp(one))


@pytest.mark.parametrize("case", cases(), ids=str)
def test_an_item_is_made_alike_in_any_company(case: Case, ready: Callable[[Case], Method]) -> None:
    method = ready(case)
    for task in case.tasks:
        call = calls_of(method, task)
        first, second = call([0, 1])
        backwards = call([1, 0])
        expect_same(first, backwards[1])
        expect_same(second, backwards[0])
        with at_once(1):
            expect_same(first, call([0])[0])
            expect_same(second, call([1])[0])
        for one, other in zip(first, second, strict=True):  # else nothing was compared
            frames = min(one.shape[1], other.shape[1])
            assert np.isfinite(one).all() and np.isfinite(other).all()
            assert np.abs(one[:, :frames] - other[:, :frames]).max() > 0.1 * np.ptp(one) > 0.01
