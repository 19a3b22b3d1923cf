"""What the stages train on, and that a plan can trace them."""

import numpy as np
import pytest
import torch

from timbrebench.core import training
from timbrebench.core.footprint import step_flops
from timbrebench.core.interfaces import StageContext, Trained
from timbrebench.core.records import Task
from timbrebench.methods.diffusion.schedules import CosineAngle
from timbrebench.methods.ldm.data import instruments_of
from timbrebench.methods.ldm.model import LatentDiffusion


@pytest.fixture
def prepared(corpus, task, options_of):
    """(variant) → its diffusion stage, prepared behind an untrained autoencoder."""

    def make(**given):
        first, second = LatentDiffusion(options_of(**given)).stages(corpus, [task])
        torch.manual_seed(0)
        context = StageContext(corpus, {}, "cpu", lambda what, share: None)
        context.depends = {"autoencoder": Trained(first.build().eval(), first.prepare(context))}
        return second, second.prepare(context)

    return make


def test_one_model_serves_all_tasks_in_any_order():
    parts = (Task("transfer", "c", "s"), Task("transfer", "v", "p"))
    mixed = Task("transfer", "c+v", "s+p", parts)
    assert instruments_of([Task("generate", "z"), mixed]) == ["c", "p", "s", "v", "z"]


@pytest.mark.parametrize("variant", ["content", "noise", "published"])
@pytest.mark.parametrize("perceptual", ["none", "multiscale", "vggish"])
def test_every_stage_can_be_traced_without_data(corpus, task, options_of, variant, perceptual):
    options = options_of(variant=variant, perceptual=perceptual)
    stages = LatentDiffusion(options).stages(corpus, [task])
    assert [s.name for s in stages] == ["autoencoder", "diffusion"]
    assert all(step_flops(stage) > 1e5 for stage in stages)


def test_sampling_options_change_no_stage(corpus, task, options_of):
    one, other = (
        LatentDiffusion(options_of(**given)).stages(corpus, [task])
        for given in ({}, {"guidance": 3, "steps": 7, "start_noise": 0.5, "style_clips": 1})
    )
    assert [s.config for s in one] == [s.config for s in other]


@pytest.mark.parametrize("variant", ["content", "noise", "published"])
def test_examples_match_the_specimen_and_their_stream(prepared, variant):
    stage, _ = prepared(variant=variant)
    example = stage.example(np.random.default_rng(1), "train")
    again = stage.example(np.random.default_rng(1), "train")
    specimen = stage.specimen(1)
    assert {k: np.shape(v) for k, v in example.items()} == {
        k: tuple(v.shape[1:]) for k, v in specimen.items()
    }
    assert all(np.array_equal(example[k], again[k]) for k in example)


def test_latents_are_standardised_on_the_training_tracks(prepared):
    stage, state = prepared()
    every = [z for tracks in stage.latents["train"].values() for z in tracks.values()]
    flat = np.concatenate([z.reshape(len(z), -1) for z in every], axis=1)
    np.testing.assert_allclose(flat.mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(flat.std(axis=1), 1, atol=1e-3)
    assert set(state) == {"low", "high", "mean", "deviation"}


def test_style_is_the_same_instrument_on_another_track(prepared):
    stage, _ = prepared()
    library = stage.latents["train"]

    def place(part):
        """(instrument, track) that a crop was taken from."""
        for instrument, tracks in library.items():
            for track, whole in tracks.items():
                windows = np.lib.stride_tricks.sliding_window_view(whole, part.shape[-1], axis=-1)
                if (windows == part[:, :, None]).all(axis=(0, 1, 3)).any():
                    return instrument, track
        raise AssertionError("not of the training tracks")

    for seed in range(20):
        example = stage.example(np.random.default_rng(seed), "train")
        z, style, wrong = (place(example[k]) for k in ("z", "style", "wrong_style"))
        assert z[0] == style[0] and z[1] != style[1]
        assert wrong[0] != z[0]


def test_a_published_pair_is_of_two_instruments(prepared):
    stage, _ = prepared(variant="published")
    assert all(a != b for a, _, b, _ in stage.pairs["train"])


def test_loss_parts_and_their_meaning(prepared):
    """An untrained network answers 0, so its error is the mean square of v: about 1."""
    stage, _ = prepared()
    module = stage.build()
    plan = training.TrainPlan(1, 0, "data")
    batch = training.collate(training.draw(stage, plan, "train", 0, 64), "cpu")
    parts = stage.loss(module.eval(), batch)
    assert {"loss_by_right_style", "loss_by_wrong_style", "loss_by_time_1"} <= set(parts)
    alpha, sigma = CosineAngle()(batch["t"])
    v = alpha[:, None, None, None] * batch["noise"] - sigma[:, None, None, None] * batch["z"]
    errors = v.square().mean(dim=(1, 2, 3))
    weight = torch.minimum(alpha**2, 5 * sigma**2)
    torch.testing.assert_close(parts["loss"], (weight * errors).mean())
    torch.testing.assert_close(parts["loss_by_right_style"], errors.mean())
    assert "loss_by_right_style" not in stage.loss(module.train(), batch)


@pytest.mark.parametrize("variant", ["content", "noise", "published"])
def test_losses_can_be_computed_in_bfloat16(prepared, variant):
    stage, _ = prepared(variant=variant)
    with torch.autocast("cpu", torch.bfloat16):
        loss = stage.loss(stage.build(), stage.specimen(2))["loss"]
    loss.backward()
    assert loss.dtype == torch.float32 and torch.isfinite(loss)
