"""The published system with single faults mended: what each changes, and nothing beside it."""

import importlib.util
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from timbrebench.benchmarks.choices import parse_choice
from timbrebench.core import training
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import StageContext, Trained
from timbrebench.core.seeds import generator
from timbrebench.methods.ldm.corrections import CORRECTIONS, corrections_of
from timbrebench.methods.ldm.model import LatentDiffusion
from timbrebench.methods.ldm.published_diffusion import STEPS, Denoiser, schedule_in
from timbrebench.methods.ldm.published_system import MATCHED_START


@pytest.fixture
def stages(corpus, task, options_of):
    """(correct) → both stages of the published variant."""

    def make(correct=""):
        options = options_of(variant="published", correct=correct)
        return LatentDiffusion(options).stages(corpus, [task])

    return make


@pytest.fixture
def prepared(corpus, stages):
    """(correct) → the diffusion stage, prepared behind an untrained autoencoder, and its state."""

    def make(correct=""):
        first, second = stages(correct)
        torch.manual_seed(0)
        context = StageContext(corpus, {}, "cpu", lambda what, share: None)
        context.depends = {"autoencoder": Trained(first.build().eval(), first.prepare(context))}
        return second, second.prepare(context)

    return make


def test_words_are_checked(options_of):
    def words(**given):
        return corrections_of(options_of(**given))

    assert words(variant="published") == frozenset()
    assert words(variant="published", correct="range + objective") == {"range", "objective"}
    assert words(variant="published", correct="all") == set(CORRECTIONS)
    with pytest.raises(BenchError, match="Did you mean objective"):
        words(variant="published", correct="objektive")
    with pytest.raises(BenchError, match="nothing to correct"):
        words(variant="noise", correct="range")


@pytest.mark.parametrize("word", CORRECTIONS)
def test_a_correction_changes_only_the_stages_that_it_is_about(stages, word):
    def identity(stage):
        return [stage.config, asdict(stage.recipe)]

    before, after = stages(), stages(word)
    same = [identity(a) == identity(b) for a, b in zip(before, after, strict=True)]
    assert same == [word not in ("range", "latents", "optimiser"), False]


def test_only_the_norm_adds_parameters():
    def size(*words):
        module = Denoiser(frozenset(words))
        return sum(p.numel() for part in (module.style, module.unet) for p in part.parameters())

    assert size() == 8_155_296 + 2_729_984
    assert size(*set(CORRECTIONS) - {"norm"}) == size()
    assert size("norm") - size() == 2 * (64 + 128 + 256 + 512 + 512 + 256 + 128 + 64)


def test_the_decoder_goes_on_learning_beside_a_frozen_encoder(prepared):
    """As published: the encoder's weights stay, its statistics do not, the style loss is absent.
    The correction has no autoencoder in the second stage at all."""
    stage, _ = prepared()
    module = stage.build().train()
    before = {k: v.clone() for k, v in module.autoencoder.state_dict().items()}
    assert all(np.array_equal(before[k], stage.first[k]) for k in before | stage.first)
    batch = training.collate(
        training.draw(stage, training.TrainPlan(1, 0, ""), "train", 0, 4), "cpu"
    )
    optimiser = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=0.1)
    stage.loss(module, batch)["loss"].backward()
    optimiser.step()
    after = module.autoencoder.state_dict()
    changed = {k for k, v in before.items() if not torch.equal(v, after[k])}
    statistics = {k for k in before if "running" in k or "num_batches" in k}
    assert {k for k in changed if k.startswith("encoder.")} == {
        k for k in statistics if k.startswith("encoder.")
    }
    assert "decoder.0.weight" in changed
    assert Denoiser(frozenset({"latents"})).autoencoder is None


def test_the_schedule_ends_in_noise_and_starts_at_the_same_signal():
    ends = {w: float(schedule_in(frozenset(w))(torch.ones(1))[0]) for w in ((), ("schedule",))}
    assert ends[()] == pytest.approx(0.364, abs=1e-3)
    assert ends[("schedule",)] == pytest.approx(0.02, abs=1e-6)
    start = schedule_in(frozenset({"schedule"}))(torch.tensor([MATCHED_START]))[0]
    assert float(start) == pytest.approx(ends[()], abs=5e-3)
    assert STEPS == 200


def track_of(stage, image, instrument):
    """Numbers of the training tracks of an instrument that have the slice."""
    slices = stage.slices["train"][instrument]
    return set(slices.tracks[(slices.images == image).all(axis=(1, 2))])


def test_both_styles_are_drawn_and_only_the_learnt_one_trains(prepared):
    published, _ = prepared()
    mended, _ = prepared("objective")
    plan = training.TrainPlan(1, 0, "data")
    batch = training.collate(training.draw(published, plan, "train", 0, 4), "cpu")
    module = published.build()
    for stage, learnt in ((published, "wrong"), (mended, "right")):
        parts = stage.loss(module.eval(), batch)
        torch.testing.assert_close(parts["noise"], parts[f"loss_by_{learnt}_style"])
        torch.testing.assert_close(parts["loss"], parts["noise"] + parts["mse"])
        assert set(stage.loss(module.train(), batch)) == {"loss", "noise", "mse", "perceptual"}


def test_the_right_style_is_of_the_instrument_and_another_track(prepared):
    stage, _ = prepared()
    names = sorted(stage.slices["train"])
    for seed in range(10):
        example = stage.example(np.random.default_rng(seed), "train")
        (instrument, at) = next(
            (name, i)
            for name in names
            for i, image in enumerate(stage.slices["train"][name].images)
            if np.array_equal(image, example["mel"][0])
        )
        other = track_of(stage, example["right_style"][0], instrument)
        assert other and stage.slices["train"][instrument].tracks[at] not in other
        assert not track_of(stage, example["wrong_style"][0], instrument)


def test_latents_are_standardised(prepared):
    stage, state = prepared("latents")
    z = np.concatenate([*stage.latents["train"].values()])
    np.testing.assert_allclose(z.mean(axis=(0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(z.std(axis=(0, 2, 3)), 1, atol=1e-3)
    assert {"mean", "deviation"} <= set(state)
    assert set(prepared()[1]) == {"low", "high"}


def test_the_range_is_the_tanhs_own(prepared):
    images = np.concatenate([s.images for s in prepared("range")[0].slices["train"].values()])
    assert images.min() == -1 and images.max() == pytest.approx(1)
    assert len({float(image.max()) for image in images}) > 1  # levels are kept


def test_a_mended_system_transfers_and_generates(options_of, trained, corpus, task, tmp_path):
    method = LatentDiffusion(options_of(variant="published", correct="all"))
    trained(method, 1, tmp_path)
    clip, style = corpus.load("tune4", "bell", 16000), corpus.load("tune0", "bow", 16000)
    mels = method.transfer([clip], task, [[style]], [generator(0)])
    made = method.generate("bow", 1, 2.0, [generator(0)])
    for values in (mels.values[0], made.values[0]):
        assert np.isfinite(values).all() and np.abs(values).max() <= 1


def test_the_benchmark_has_a_cell_for_each_correction(options_of):
    script = Path(__file__).parents[3] / "benchmarks" / "ldm_corrections.py"
    spec = importlib.util.spec_from_file_location("ldm_corrections", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    labels = [label for label in module.methods().values() if label != "copy"]
    made = [options_of(**parse_choice(label)[1]) for label in labels]
    of_published = [corrections_of(o) for o in made if o.variant == "published"]
    assert {c for found in of_published if len(found) == 1 for c in found} == set(CORRECTIONS)
    assert [set(), set(CORRECTIONS)] == [of_published[0], of_published[-1]]
    assert [o.variant for o in made[-2:]] == ["noise", "content"]
