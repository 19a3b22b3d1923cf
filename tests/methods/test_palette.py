from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from timbrebench.core import training
from timbrebench.core.footprint import step_flops
from timbrebench.core.interfaces import StageContext, Trained
from timbrebench.core.mel import log_mel, normalise
from timbrebench.core.options import build, describe, resolve
from timbrebench.core.records import Clip, Task
from timbrebench.core.seeds import generator
from timbrebench.methods.palette.model import IDENTITY, Palette
from timbrebench.methods.palette.network_published import PublishedUNet
from timbrebench.methods.palette.plugin import INFO, Options
from timbrebench.testing import check_method
from timbrebench.testing.corpus import tiny_corpus

TASK = Task("transfer", "bell", "bow")
SMALL = {"widths": (8, 16), "steps": 2, "batch": 2}


def prepared(method, corpus):
    stage = method.stage(TASK)
    stage.prepare(StageContext(corpus, {}, "cpu", lambda what, share: None))
    return stage


def untrained(options, corpus):
    """A method whose network has random weights everywhere."""
    method = Palette(options)
    stage = prepared(method, corpus)
    torch.manual_seed(0)
    module = stage.build().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    method.setup(corpus, {TASK.name: Trained(module, stage.state)}, "cpu")
    return method


def test_the_published_network_has_the_published_size():
    network = PublishedUNet((64, 128, 256, 512), 4)
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    assert round(millions, 2) == 36.15


def test_the_paper_preset_is_the_paper():
    options = build(Options, resolve("palette", describe(Options), INFO.presets, {}, "paper"))
    stage = Palette(options).stage(TASK)
    recipe = stage.recipe
    assert isinstance(stage.build(), PublishedUNet)
    assert (recipe.lr, recipe.lr_final, recipe.weight_decay) == (2e-5, 2e-5, 1e-4)
    assert (recipe.batch_size, recipe.ema, options.steps) == (16, 0.999, 20)
    alpha, _ = stage.schedule(torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(alpha, torch.tensor([0.95, 0.02]))


def test_the_published_network_listens_to_all_its_inputs():
    network = PublishedUNet((8, 16, 24), 2).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    x, condition = torch.randn(2, 2, 1, 16, 16)
    inputs = [t.requires_grad_() for t in (x, torch.tensor([0.2, 0.7]), condition)]
    network(*inputs).square().mean().backward()
    assert all(float(t.grad.abs().sum()) > 0 for t in inputs)
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("variant", ["default", "published"])
def test_contract(variant):
    widths = (8, 16) if variant == "default" else (8, 8, 8, 8, 16)
    check_method(INFO, options=SMALL | {"variant": variant, "widths": widths, "objective": "noise"})


def test_normalisation_is_fixed_or_of_the_slice(tmp_path):
    corpus = tiny_corpus(tmp_path)
    fixed = prepared(Palette(Options()), corpus)
    own = prepared(Palette(Options(variant="published", widths=(8, 16))), corpus)
    for i in range(5):
        example = own.example(generator(i), "train")
        for name in ("condition", "target"):
            assert (example[name].min(), example[name].max()) == (-1, 1)
    tops = [fixed.example(generator(i), "train")["target"].max() for i in range(20)]
    assert max(tops) == 1 and min(tops) < 1


def test_the_published_variant_takes_the_level_from_the_source(tmp_path):
    """6 dB less in the source are 6 dB less in the estimate, whatever the network does."""
    corpus = tiny_corpus(tmp_path)
    method = untrained(Options(**SMALL | {"variant": "published", "widths": (8, 16)}), corpus)
    noise = 0.1 * generator(0).standard_normal(127 * 320)  # one slice
    made = [
        method.transfer([Clip(gain * noise.astype(np.float32), 16000)], TASK, [()], [generator(1)])
        for gain in (1.0, 0.5)
    ]
    assert made[0].state == IDENTITY
    moved = made[0].values[0] - made[1].values[0]
    np.testing.assert_allclose(moved, np.log(2), atol=1e-3)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_all_slices_of_an_item_start_from_one_noise(tmp_path, sampler):
    """A source that repeats every slice gives an estimate that does."""
    method = untrained(Options(**SMALL, overlap=0, sampler=sampler), tiny_corpus(tmp_path))
    piece = torch.randn(128, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        made = method._transfer(piece.tile(1, 11), method.trained[TASK.name], generator(3))
    np.testing.assert_allclose(made, np.tile(made[:, :128], (1, 11)), atol=1e-4)


def test_training_cost_can_be_traced():
    assert step_flops(Palette(Options(**SMALL)).stage(TASK)) > 0


def test_the_loss_by_time_averages_to_the_loss(tmp_path):
    stage = prepared(Palette(Options(**SMALL)), tiny_corpus(tmp_path))
    batch = training.collate([stage.example(generator(i), "train") for i in range(8)], "cpu")
    module = stage.build()
    parts = stage.loss(module, batch)
    bins = torch.stack([parts[f"loss_by_time_{i}"] for i in (1, 2, 3, 4)])
    torch.testing.assert_close(bins.mean(), parts["loss"])
    assert "loss_by_wrong_condition" in stage.loss(module.eval(), batch)


def learned(method, corpus, folder, steps, batch_size):
    """The method after some training, and its stage."""
    stage = method.stage(TASK)
    stage.recipe = replace(stage.recipe, batch_size=batch_size, valid_examples=0, lr=3e-3)
    context = StageContext(corpus, {}, "cpu", lambda what, share: None)
    plan = training.TrainPlan(steps=steps, seed=0, data=corpus.fingerprint)
    folder.mkdir()
    record = training.train(stage, context, plan, folder, lambda event: None)
    module = stage.build()
    module.load_state_dict(load_file(folder / "model.safetensors"))
    method.setup(corpus, {TASK.name: Trained(module.eval(), record["state"])}, "cpu")
    return stage


def condition_gap(method, stage):
    """The loss under a wrong condition over that under the right one."""
    batch = training.collate([stage.example(generator(i), "valid") for i in range(16)], "cpu")
    with torch.no_grad():
        parts = stage.loss(method.trained[TASK.name].module, batch)
    return float(parts["loss_by_wrong_condition"] / parts["loss"])


def test_a_little_training_opens_a_condition_gap(tmp_path):
    corpus = tiny_corpus(tmp_path / "tiny")
    method = Palette(Options(widths=(8, 16), patch=4))
    stage = learned(method, corpus, tmp_path / "model", steps=80, batch_size=4)
    assert condition_gap(method, stage) > 1.1


@pytest.mark.acceptance
def test_it_learns_the_conversion(tmp_path):
    corpus = tiny_corpus(tmp_path / "tiny", split={"train": 12, "valid": 2, "test": 2})
    method = Palette(Options(widths=(16, 32, 48)))
    stage = learned(method, corpus, tmp_path / "model", steps=400, batch_size=8)
    assert condition_gap(method, stage) > 1.5

    target, spec = stage.state["target"], stage.spec
    for track in corpus.tracks_of("test"):
        source, reference = (corpus.load(track.id, i, spec.rate) for i in ("bell", "bow"))
        made = method.transfer([source], TASK, [()], [generator(0)]).values[0]
        copied, wanted = (
            normalise(log_mel(clip.samples, spec).numpy(), target) for clip in (source, reference)
        )
        assert np.abs(made - wanted).mean() < 0.6 * np.abs(copied - wanted).mean()
