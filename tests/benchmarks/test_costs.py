"""What stages cost is traced once for all that differ in names alone."""

from typing import Any

import pytest
import torch

from timbrebench.benchmarks import costs
from timbrebench.benchmarks.costs import Costs
from timbrebench.core.footprint import step_flops, training_peak
from timbrebench.core.interfaces import Recipe, Stage
from timbrebench.core.ways import Way


class Layer(Stage):
    """[batch, wide] to itself."""

    def __init__(self, config: dict[str, Any], wide: int = 4, **recipe: int) -> None:
        super().__init__("layer", config, Recipe(**recipe))  # type: ignore[arg-type]
        self.wide = wide

    def build(self) -> torch.nn.Module:
        return torch.nn.Linear(self.wide, self.wide)

    def specimen(self, batch: int) -> dict[str, torch.Tensor]:
        return {"x": torch.zeros(batch, self.wide)}

    def prepare(self, context):
        raise AssertionError("the cost is counted without data")

    def example(self, rng, split):
        raise AssertionError("the cost is counted without data")

    def loss(self, module, batch):
        return {"loss": module(batch["x"]).square().mean()}


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[Stage]:
    """The stages that were traced."""
    found: list[Stage] = []

    def peak(stage: Stage, *given: Any, **named: Any) -> int:
        found.append(stage)
        return training_peak(stage, *given, **named)

    monkeypatch.setattr(costs, "_known", {})
    monkeypatch.setattr(costs, "training_peak", peak)
    return found


def peaks(*stages: Stage) -> list[int]:
    known = Costs(["flute", "harp", "flute+harp"], "fp32")
    return [known.training_peak(stage, Way(4), []) for stage in stages]


def test_stages_of_other_instruments_are_traced_once(traced: list[Stage]) -> None:
    named: list[dict[str, Any]] = [
        {"source": "flute", "target": "harp", "of": ["harp"]},
        {"source": "harp", "target": "flute+harp", "of": ["flute+harp"]},
    ]
    first, second = peaks(*map(Layer, named))
    assert len(traced) == 1 and first == second == training_peak(traced[0], Way(4))


@pytest.mark.parametrize(
    "other",
    [
        Layer({"source": "flute", "target": "flute"}),
        Layer({"source": "flute", "target": "harp", "loss": "l1"}),
        Layer({"source": "flute", "target": "harpsichord"}),
        Layer({"source": "flute", "target": "harp"}, wide=5),
        Layer({"source": "flute", "target": "harp"}, batch_size=4),
    ],
)
def test_whatever_else_differs_is_traced_for_itself(other: Stage, traced: list[Stage]) -> None:
    stage = Layer({"source": "flute", "target": "harp"})
    assert peaks(stage, other) == [training_peak(each, Way(4)) for each in (stage, other)]
    assert traced == [stage, other]


def test_each_way_precision_and_kind_of_device_has_its_own(traced: list[Stage]) -> None:
    stage = Layer({})
    kinds = (("fp32", "cpu"), ("bf16", "cpu"), ("bf16", "cuda"), ("fp32", "cuda"))
    for precision, device in kinds:  # in float32 a kind of device is as the other
        known = Costs([], precision)
        for way in (Way(4), Way(2), Way(2, recompute=True), Way(2)):
            expected = training_peak(stage, way, precision, device=device)
            assert known.training_peak(stage, way, [], device) == expected
    assert len(traced) == 9


def test_sampling_is_in_float32_whatever_trains() -> None:
    stages = [Layer({}, wide=8)]
    few, many = (Costs([], "bf16").sampling_peak(stages, n) for n in (1, 101))
    assert many - few >= 100 * 4 * 8 * 2  # what goes in and what comes out
    assert many == Costs([], "fp32").sampling_peak(stages, 101)


def test_flops_are_those_of_the_trace() -> None:
    assert Costs([], "fp32").flops(Layer({}, wide=7)) == step_flops(Layer({}, wide=7)) > 0
