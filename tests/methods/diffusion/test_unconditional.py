import numpy as np
import pytest
import torch

from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import StageContext
from timbrebench.core.mel import fit_range, preset, silence
from timbrebench.core.records import Task
from timbrebench.core.seeds import generator
from timbrebench.methods.diffusion.crops import Crops, load_crops, random_place
from timbrebench.methods.diffusion.instrument import (
    InstrumentStage,
    frames_of,
    gain_to,
    instruments_of,
    level_db,
    schedule_of,
)
from timbrebench.methods.diffusion.losses import by_time, denoising_errors
from timbrebench.methods.diffusion.network_published import PublishedUNet
from timbrebench.methods.diffusion.schedules import CosineAngle
from timbrebench.methods.diffusion.unconditional_options import PAPER, InstrumentOptions
from timbrebench.methods.diffusion.windows import over_windows, whole_windows
from timbrebench.testing.corpus import tiny_corpus

SPEC = preset("soundstream")
SMALL = InstrumentOptions(widths=(8, 16), patch=8)


def prepared(corpus, options=SMALL, instrument="bell"):
    stage = InstrumentStage(instrument, options, SPEC)
    state = stage.prepare(StageContext(corpus, {}, "cpu", lambda what, share: None))
    return stage, state


# ---------------------------------------------------------------------------- data


def test_every_place_of_every_track_is_drawn_alike():
    places = [random_place(generator(i), (13, 11), 10) for i in range(1200)]
    drawn, counts = np.unique(places, axis=0, return_counts=True)
    assert drawn.tolist() == [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0], [1, 1]]
    assert counts.min() > 140 and counts.max() < 260  # 200 each


def test_a_crop_is_where_the_place_says():
    mels = [np.tile(np.arange(first, first + 20.0), (2, 1)) for first in (0, 100)]
    crops = Crops({"train": mels}, 5)
    for i in range(50):
        track, start = random_place(generator(i), (20, 20), 5)
        assert crops.crop(generator(i), "train")[1].tolist() == [
            100 * track + start + step for step in range(5)
        ]


def test_a_short_track_ends_in_silence(tmp_path):
    corpus = tiny_corpus(tmp_path, seconds=1.0)
    crops = load_crops(corpus, "bell", SPEC, 128)
    assert {split: len(mels) for split, mels in crops.mels.items()} == {"train": 3, "valid": 1}
    for mel in crops.mels["train"]:
        assert mel.shape == (128, 128)
        assert (mel[:, SPEC.frames_of(16000) :] == np.float32(silence(SPEC))).all()


def test_an_unknown_instrument_is_an_error(tmp_path):
    with pytest.raises(BenchError, match="no training track of tiny has gong"):
        load_crops(tiny_corpus(tmp_path), "gong", SPEC, 128)


def test_examples_are_normalised_by_the_range_of_the_training_tracks(tmp_path):
    stage, state = prepared(tiny_corpus(tmp_path))
    assert {k: state[k] for k in ("low", "high")} == fit_range(stage.crops.mels["train"], SPEC)
    clips = [stage.example(generator(i), "train")["clip"] for i in range(20)]
    assert {clip.shape for clip in clips} == {(1, 128, 128)}
    assert min(clip.min() for clip in clips) == -1
    assert 0.5 < max(clip.max() for clip in clips) <= 1


def test_gain_brings_any_level_to_that_of_the_training_tracks(tmp_path):
    stage, state = prepared(tiny_corpus(tmp_path))
    mel = stage.crops.mels["valid"][0]
    for shift_db in (-30.0, -6.0, 0.0, 12.0):
        quieter = mel + shift_db * np.log(10) / 20  # natural log of a magnitude
        gained = level_db(quieter, SPEC) + 20 * np.log10(gain_to(state, quieter, SPEC))
        assert gained == pytest.approx(state["level_db"], abs=1e-3)
    assert gain_to(state, np.full((128, 9), silence(SPEC), np.float32), SPEC) == 100.0


# ---------------------------------------------------------------------------- loss


@pytest.mark.parametrize("objective", ["v", "x0", "noise"])
@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_a_network_that_knows_the_answer_has_no_error(objective, loss):
    torch.manual_seed(0)
    x0, noise, t = torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4), torch.tensor([0.1, 0.5, 0.9])
    alpha, sigma = (r[:, None, None, None] for r in CosineAngle()(t))
    right = {"v": alpha * noise - sigma * x0, "x0": x0, "noise": noise}[objective]
    config = {"objective": objective, "loss": loss, "weighting": "none"}
    seen = []

    def network(x_t, level):
        seen.append((x_t, level))
        return right + offset

    offset = 0.0
    errors = denoising_errors(network, CosineAngle(), config, x0, noise, t)
    torch.testing.assert_close(errors, torch.zeros(3))
    offset = torch.tensor([1.0, 2.0, 3.0])[:, None, None, None]
    errors = denoising_errors(network, CosineAngle(), config, x0, noise, t)
    torch.testing.assert_close(errors, torch.tensor([1.0, 2.0, 3.0]) ** (1 if loss == "l1" else 2))
    torch.testing.assert_close(seen[0][0], alpha * x0 + sigma * noise)
    torch.testing.assert_close(seen[0][1], t)  # the angle of the plain cosine schedule


def test_the_loss_by_time_is_the_mean_of_each_quarter():
    t, each = torch.rand(4000), torch.rand(4000)
    parts = by_time(each + (t > 0.75), t)
    assert list(parts) == [f"loss_by_time_{i}" for i in (1, 2, 3, 4)]
    torch.testing.assert_close(
        torch.stack(list(parts.values())), torch.tensor([0.5, 0.5, 0.5, 1.5]), atol=0.15, rtol=0
    )
    torch.testing.assert_close(sum(parts.values()) / 4, (each + (t > 0.75)).mean())


# ---------------------------------------------------------------------------- what is trained


def test_each_instrument_of_the_tasks_is_trained_once():
    tasks = [
        Task("transfer", "vibraphone", "piano"),
        Task("transfer", "clarinet", "piano"),
        Task("pair", "strings", "clarinet"),
    ]
    assert instruments_of(tasks) == ["clarinet", "piano", "strings"]
    with_sources = ["clarinet", "piano", "strings", "vibraphone"]
    assert instruments_of(tasks, sources=True) == with_sources


def test_crops_have_a_width_that_the_network_divides():
    assert frames_of(InstrumentOptions(frames=100, widths=(8, 8, 8), patch=4), SPEC) == 112
    assert frames_of(SMALL, SPEC) == SPEC.frames
    assert frames_of(InstrumentOptions(**PAPER), preset("audio_diffusion")) == 216


def test_the_schedule_ends_in_pure_noise_where_it_can():
    end = torch.ones(1)
    assert float(schedule_of(InstrumentOptions())(end)[0]) < 1e-6
    assert float(schedule_of(InstrumentOptions(objective="noise"))(end)[0]) > 0
    linear = schedule_of(InstrumentOptions(schedule="linear", noise_shift=1.0))
    beta = np.linspace(1e-4, 0.02, 500)
    assert float(linear(end)[0]) == pytest.approx(np.sqrt(np.prod(1 - beta)), rel=1e-4)


# ---------------------------------------------------------------------------- wide images


def test_windows_change_nothing_for_a_network_that_looks_at_each_pixel():
    def network(x, level):
        return x * level[:, None, None, None]

    width = whole_windows(70, 16, 4)
    assert width >= 70 and (width - 16) % 12 == 0
    x = torch.randn(1, 1, 3, width)
    wide = over_windows(network, 16, 4)(x, torch.tensor([0.5]))
    torch.testing.assert_close(wide, x / 2)


# ---------------------------------------------------------------------------- published


def test_the_published_network_has_the_published_size():
    pytest.importorskip("diffusers")
    with torch.device("meta"):
        network = PublishedUNet(PAPER["widths"], PAPER["blocks"])
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == 113.7


def test_the_published_network_takes_any_number_of_frames():
    pytest.importorskip("diffusers")
    torch.manual_seed(0)
    network = PublishedUNet((32, 32, 32), 1).eval()
    x = torch.randn(2, 1, 16, 13)
    with torch.no_grad():
        one, other = (network(x, torch.tensor([level, level])) for level in (0.1, 0.9))
    assert one.shape == x.shape
    assert not torch.allclose(one, other)


def test_without_diffusers_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    with pytest.raises(BenchError) as caught:
        PublishedUNet((32, 32), 1)
    assert "timbrebench[published]" in str(caught.value.hint)


def test_the_paper_preset_is_the_paper():
    options = InstrumentOptions(**PAPER)
    stage = InstrumentStage("violin", options, preset("audio_diffusion"))
    recipe = stage.recipe
    assert (recipe.lr, recipe.lr_final, recipe.warmup, recipe.batch_size) == (1e-4, 0.0, 500, 16)
    assert (recipe.betas, recipe.weight_decay, recipe.clip) == ((0.95, 0.999), 1e-6, 1.0)
    assert stage.config["loss"] == "l1" and stage.config["objective"] == "noise"
    assert stage.specimen(2)["clip"].shape == (2, 1, 256, 216)
