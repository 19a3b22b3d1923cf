"""Costs that are traced, against what is known on paper and against real tensors."""

import contextlib

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from timbrebench.core.footprint import (
    LiveBytes,
    has_batch_norm,
    sampling_peak,
    step_flops,
    training_peak,
)
from timbrebench.core.interfaces import Recipe, Stage
from timbrebench.core.ways import Way


class Layers(Stage):
    """[batch, wide] through linear layers and two nonlinearities each."""

    def __init__(self, *wide: int, norm: bool = False, **recipe: int) -> None:
        super().__init__("layers", {}, Recipe(**recipe))  # type: ignore[arg-type]
        self.wide, self.norm = wide, norm

    def build(self) -> torch.nn.Module:
        blocks = []
        for before, after in zip(self.wide, self.wide[1:], strict=False):
            layers = [torch.nn.Linear(before, after), torch.nn.Tanh(), torch.nn.Tanh()]
            layers += [torch.nn.BatchNorm1d(after)] if self.norm else []
            blocks.append(torch.nn.Sequential(*layers))
        return torch.nn.Sequential(*blocks)

    def specimen(self, batch: int) -> dict[str, torch.Tensor]:
        return {"x": torch.zeros(batch, self.wide[0])}

    def prepare(self, context):
        raise AssertionError("the cost is counted without data")

    def example(self, rng, split):
        raise AssertionError("the cost is counted without data")

    def loss(self, module, batch):
        return {"loss": module(batch["x"]).square().mean()}


def test_flops_of_a_step_are_those_of_the_matrix_products() -> None:
    """A product of n×k and k×m is 2nkm. Forward: both layers. Backward: the gradient of both
    layers' weights, and of the second layer's input (the data needs none)."""
    first, second = 2 * 7 * 5, 2 * 5 * 3
    assert step_flops(Layers(7, 5, 3, norm=True)) == (first + second) + (first + 2 * second)


def test_counting_draws_nothing_from_torch() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    step_flops(Layers(7, 5, 3))
    training_peak(Layers(7, 5, 3), Way(4))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    "name",
    ["mse_loss", "smooth_l1_loss", "soft_margin_loss", "binary_cross_entropy", "l1_loss"],
)
def test_some_means_keep_the_place_in_which_they_were_computed(name: str) -> None:
    loss = getattr(torch.nn.functional, name)

    def live(mode: contextlib.AbstractContextManager[object]) -> list[int]:
        with mode, LiveBytes() as counted:
            given, target = torch.ones(2, 1000, requires_grad=True), torch.zeros(2, 1000)
            kept = [loss(given, target, reduction=how) for how in ("mean", "sum", "none")]
            before = counted.live
            kept.clear()
            return [before, counted.live]

    assert live(FakeTensorMode()) == live(contextlib.nullcontext())


def test_bytes_live_as_long_as_something_needs_them() -> None:
    with LiveBytes() as counted:
        weight = torch.zeros(1000, requires_grad=True)
        view = weight.detach().view(10, 100)
        out = weight.exp().exp().sum()  # the graph keeps both exponentials
        assert counted.live == 3 * 4000 + 4
        out.backward()  # the graph is gone, the gradient is there
        assert counted.live == 2 * 4000 + 4
        del out, view
        assert counted.live == 2 * 4000
    assert counted.peak > 3 * 4000


def test_where_weights_dominate_the_peak_is_seven_times_their_bytes() -> None:
    """In the validation live: weights, gradients, AdamW's two moments, their average, its best,
    and the weights that wait while the average is tried; a little more by tensors on the way."""
    stage = Layers(600, 600, 600, batch_size=2, valid_examples=2)
    weights = 4 * 2 * (600 * 600 + 600)
    assert 7 * weights <= training_peak(stage, Way(2)) < 7.6 * weights


@pytest.mark.parametrize("way", [Way(32), Way(8), Way(4, recompute=True)])
@pytest.mark.parametrize("norm", [False, True])
def test_a_trace_is_what_real_tensors_take(way: Way, norm: bool) -> None:
    stage = Layers(40, 200, 100, 60, norm=norm, batch_size=32, valid_examples=16)
    traced, real = (training_peak(stage, way, fake=fake) for fake in (True, False))
    assert traced == pytest.approx(real, rel=0.01)


def test_smaller_parts_and_recomputation_take_less() -> None:
    """Activations are far more than weights here: each block keeps what its two nonlinearities
    gave, and with recomputation its input alone."""
    stage = Layers(*[64] * 9, batch_size=4096, valid_examples=0)
    whole, half, again = (
        training_peak(stage, way) for way in (Way(4096), Way(2048), Way(4096, recompute=True))
    )
    assert half < 0.6 * whole
    assert again < 0.7 * whole


def test_what_a_stage_stands_on_is_held_too() -> None:
    stage, below = Layers(20, 20), Layers(500, 500)
    more = training_peak(stage, Way(8), depends=[below]) - training_peak(stage, Way(8))
    assert more == 4 * (500 * 500 + 500)


def test_half_precision_takes_less_for_activations() -> None:
    stage = Layers(*[64] * 9, batch_size=4096, valid_examples=0)
    assert training_peak(stage, Way(4096), "bf16") < 0.8 * training_peak(stage, Way(4096))


class Normed(Layers):
    """Blocks of a linear layer and a norm, which CUDA's autocast keeps in float32 and the CPU's
    does not."""

    def build(self) -> torch.nn.Module:
        pairs = zip(self.wide, self.wide[1:], strict=False)
        layers = [(torch.nn.Linear(a, b), torch.nn.GroupNorm(1, b)) for a, b in pairs]
        return torch.nn.Sequential(*(layer for both in layers for layer in both))

    def loss(self, module, batch):
        return {"loss": module(batch["x"]).mean()}


def test_on_cuda_norms_stay_in_float32() -> None:
    """What a norm was given is kept in float32, two more bytes a number; its float32 answer is
    given to the next linear layer in bfloat16 as before."""
    wide, blocks, batch = 64, 8, 4096
    stage = Normed(*[wide] * (blocks + 1), batch_size=batch, valid_examples=0)
    way, number = Way(batch), wide * batch
    on_cpu, on_cuda = (training_peak(stage, way, "bf16", device=d) for d in ("cpu", "cuda"))
    assert on_cuda - on_cpu == pytest.approx(2 * number * blocks, rel=0.15)
    assert training_peak(stage, way, device="cuda") == training_peak(stage, way)
    real = training_peak(stage, way, "bf16", device="cuda", fake=False)
    assert on_cuda == pytest.approx(real, rel=0.01)


def test_sampling_holds_all_networks_and_one_answer() -> None:
    stages = [Layers(100, 100), Layers(300, 300)]
    weights = 4 * (100 * 100 + 100 + 300 * 300 + 300)
    few, many = sampling_peak(stages, 1), sampling_peak(stages, 1001)
    assert few >= weights
    assert many - few == pytest.approx(1000 * 4 * 300 * 3, rel=0.35)  # input, linear, tanh


def test_batch_norm_is_found() -> None:
    assert has_batch_norm(Layers(4, 4, norm=True)) and not has_batch_norm(Layers(4, 4))
