"""Every method without BatchNorm: steps in parts end with the weights of plain ones, with
recomputed activations too."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from timbrebench.core.footprint import has_batch_norm
from timbrebench.core.interfaces import MethodInfo, Stage, StageContext, Trained
from timbrebench.core.learner import Batch, Learner
from timbrebench.core.mel import preset
from timbrebench.core.options import describe
from timbrebench.core.records import Corpus, Task
from timbrebench.core.registry import OURS, registry
from timbrebench.core.training import TrainPlan, collate, draw
from timbrebench.core.ways import Way
from timbrebench.testing import tiny_corpus
from timbrebench.testing.infos import make

BATCH, STEPS = 6, 3  # a sixth is no binary fraction: parts are rounded otherwise than the whole
RATE = 0.1  # gradients are clipped to a norm of 1: a step of SGD goes as far as this at most
TASKS = [Task("transfer", "bell", "bow"), Task("generate", "bow"), Task("pair", "bell", "bow")]
WAYS = [Way(1), Way(BATCH // 2), Way(BATCH // 2, recompute=True)]

INSTRUMENT = {"widths": (8, 8), "patch": 8}
PUBLISHED = {"widths": (32, 32, 32), "blocks": 1, "frames": 8}
LATENT = {"widths": (32, 32), "autoencoder_width": 4, "style_dim": 8}
DDIM = {**INSTRUMENT, "seconds": 0.64}
# Small sizes of a method; of its variants where they need others. One that is not here: its own.
SIZES: Mapping[str, Mapping[str, Any]] = {
    "palette": INSTRUMENT,
    "regress": INSTRUMENT,
    "cross": INSTRUMENT,
    "cross published": PUBLISHED,
    "double": INSTRUMENT,
    "ddim": DDIM,
    "ldm": LATENT,
}
WITH_BATCH_NORM = {"palette published", "ddim published", "ldm published"}
LEFT_OUT = ("double published",)  # trains what cross published does, class and options alike
FURTHER = [("ddim", {**DDIM, "context": True})]


@dataclass(frozen=True)
class Case:
    """A method with options."""

    info: MethodInfo
    name: str  # of the method and its variant
    options: Mapping[str, Any]

    def stages(self, corpus: Corpus) -> list[Stage]:
        method = make(self.info, self.options, preset(self.options.get("mel", self.info.mel)))
        tasks = [task for task in TASKS if task.kind in self.info.kinds]
        found = {type(stage): stage for stage in method.stages(corpus, tasks)}
        return list(found.values())  # of those that differ in the instrument alone, one


def cases() -> list[Any]:
    """Every variant of every method of ours that trains, and more."""
    found = []
    for entry in registry().of("method"):
        if entry.distribution == OURS and entry.info.trains:
            offered = {spec.name: spec.choices for spec in describe(entry.info.options)}
            for variant in offered.get("variant", ("",)):
                name = f"{entry.name} {variant}".removesuffix(" default").strip()
                sizes = SIZES.get(name, SIZES.get(entry.name, {}))
                given = {**sizes, "variant": variant} if variant else sizes
                if name not in LEFT_OUT:
                    found.append(pytest.param(Case(entry.info, name, given), id=name))
    for name, options in FURTHER:
        info = registry().find("method", name).info
        found.append(pytest.param(Case(info, name, options), id=f"{name} further"))
    return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return tiny_corpus(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("case", cases())
def test_the_way_of_a_step_decides_no_weights(
    case: Case, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = case.stages(corpus)
    assert any(map(has_batch_norm, stages)) == (case.name in WITH_BATCH_NORM)
    if case.name in WITH_BATCH_NORM:
        return  # its report says so: tests/reports/test_costs.py
    depends: dict[str, Trained] = {}
    for stage in stages:
        context = StageContext(corpus, depends, "cpu", lambda what, share: None)
        depends[stage.name] = Trained(stage.build().eval(), stage.prepare(context))
    for stage in stages:
        expect_same_steps(stage, torch.float32, "SGD", 1e-6)
        with monkeypatch.context() as patch:  # a network's answer is brought to full precision by
            patch.setattr(torch.Tensor, "float", torch.Tensor.double)  # float(): here it is double
            expect_same_steps(stage, torch.float64, "AdamW", 1e-9)


def expect_same_steps(stage: Stage, kind: torch.dtype, optimiser: str, tolerance: float) -> None:
    examples = draw(stage, TrainPlan(STEPS, 0, "toy"), "train", 0, STEPS * BATCH)
    batches = [
        {name: value.to(kind) if value.is_floating_point() else value for name, value in b.items()}
        for b in (collate(examples[i::STEPS], "cpu") for i in range(STEPS))
    ]
    first = weights_of(stage, kind, optimiser, Way(BATCH), [])
    plain = weights_of(stage, kind, optimiser, Way(BATCH), batches)
    assert max(distance(plain[name], first[name]) for name in plain) > 1e3 * tolerance
    for way in WAYS:
        found = weights_of(stage, kind, optimiser, way, batches)
        for name, value in plain.items():
            told = f"{name} of {stage.name}, {way}, {optimiser}"
            assert distance(found[name], value) <= tolerance, told


def weights_of(
    stage: Stage, kind: torch.dtype, optimiser: str, way: Way, batches: list[Batch]
) -> Batch:
    """After a step with each of the batches."""
    torch.manual_seed(0)
    module = stage.build().to(kind)
    learner = Learner(stage, module, micro_batch=way.micro_batch, recompute=way.recompute)
    if optimiser == "SGD":
        learner.optimiser = torch.optim.SGD(learner.parameters)  # type: ignore[assignment]
    rate = RATE if optimiser == "SGD" else stage.recipe.lr
    for number, batch in enumerate(batches, start=1):
        for _ in learner.step(batch, rate, number):
            pass
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())
