"""Inference: any length, one stream an item, nothing of the neighbours."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from timbrebench.core.errors import BenchError
from timbrebench.core.options import describe
from timbrebench.core.seeds import generator
from timbrebench.methods.diffusion.samplers import ddim, time_grid
from timbrebench.methods.diffusion.schedules import CosineAngle
from timbrebench.methods.ldm.corrected import NEARLY_CLEAN
from timbrebench.methods.ldm.model import LatentDiffusion
from timbrebench.methods.ldm.plugin import INFO, Options
from timbrebench.testing.corpus import tiny_corpus

VARIANTS = ["content", "noise", "published"]


@pytest.fixture(scope="module", params=VARIANTS)
def method(request, options_of, trained, tmp_path_factory):
    made = LatentDiffusion(options_of(variant=request.param))
    return trained(made, 2, tmp_path_factory.mktemp(request.param))


@pytest.fixture
def transfer(method, corpus, task):
    """Tracks (and seconds of each) → the mels of one call."""

    def run(*tracks, rate=16000, seconds=4.0):
        clips = [corpus.load(t, task.source, rate, seconds) for t in tracks]
        styles = [[corpus.load("tune0", task.target, rate)] for _ in tracks]
        return method.transfer(clips, task, styles, [generator("test", t) for t in tracks])

    return run


def test_estimates_have_the_length_of_the_source(transfer):
    for seconds in (0.5, 2.56, 4.0):
        mels = transfer("tune4", seconds=seconds)
        assert mels.lengths == [round(seconds * 16000)]
        assert mels.values[0].shape == (128, mels.spec.frames_of(mels.lengths[0]))
        assert np.isfinite(mels.values[0]).all() and np.abs(mels.values[0]).max() <= 1
        assert set(mels.state) == {"low", "high"}


def test_an_item_does_not_depend_on_its_neighbours(transfer):
    together, alone = transfer("tune4", "tune5"), transfer("tune5")
    np.testing.assert_allclose(together.values[1], alone.values[0], atol=1e-4)


def test_another_rate_is_taken(transfer):
    mels = transfer("tune4", rate=22050, seconds=1.0)
    assert mels.lengths == [16000]


def test_generation(method):
    mels = method.generate("bow", 2, 3.0, [generator(i) for i in range(2)])
    assert [v.shape for v in mels.values] == [(128, 151)] * 2
    again = method.generate("bow", 1, 3.0, [generator(1)])
    np.testing.assert_allclose(again.values[0], mels.values[1], atol=1e-4)
    assert np.abs(mels.values[0] - mels.values[1]).max() > 1e-3


# ---------------------------------------------------------------------------- sampling options


def test_what_is_chosen_are_optional_sampling_options():
    specs = {s.name: s for s in describe(Options)}
    for name, values in INFO.chosen.items():
        spec = specs[name]
        assert spec.affects == "sampling" and spec.optional and spec.default is None
        assert [spec.parse(v, "ldm") for v in values] == list(values)


@pytest.fixture
def change(method):
    """Other sampling options for the method, as the benchmark sets them; undone at the end."""
    given = method.options

    def to(**changed):
        method.options = replace(given, **changed)

    yield to
    method.options = given


def test_guidance_is_read_at_each_call(method, transfer, change):
    """A guided step asks the network twice; where nothing chose a guidance, it is guided. The
    published variant knows none."""
    asked = []
    unet = method.system.network.unet
    hook = unet.register_forward_hook(lambda *_: asked.append(1))
    counts = {}
    for guidance in (1.0, 3.0, None):
        asked.clear()
        change(guidance=guidance)
        transfer("tune4", seconds=2.0)
        counts[guidance] = len(asked) / method.options.steps
    hook.remove()
    guided = 1 if method.options.variant == "published" else 2
    assert counts == {1.0: 1, 3.0: guided, None: guided}


def test_start_noise_is_read_at_each_call(transfer, change):
    before = transfer("tune4").values[0]
    change(start_noise=0.3)
    assert np.abs(transfer("tune4").values[0] - before).max() > 1e-3
    change(start_noise=None)
    np.testing.assert_allclose(transfer("tune4").values[0], before, atol=1e-4)


def test_inversion_is_another_start(method, transfer, change, options_of):
    if method.options.variant == "published":
        with pytest.raises(BenchError, match="no start=inversion"):
            LatentDiffusion(options_of(variant="published", start="inversion"))
        return
    noisy = transfer("tune4").values[0]
    change(start="inversion")
    inverted = transfer("tune4").values[0]
    assert np.isfinite(inverted).all() and np.abs(inverted - noisy).max() > 1e-3


def test_inversion_and_sampling_undo_each_other():
    """With the exact denoiser of a Gaussian, whose way there and back is known."""

    def exact(x, t):
        """x₀ ~ N(1, 0.5²): the posterior mean."""
        alpha, sigma = CosineAngle()(t)
        gain = 0.25 * alpha / (0.25 * alpha**2 + sigma**2)
        return 1 + gain * (x - alpha)

    z = torch.linspace(-0.5, 2.5, 7, dtype=torch.float64)
    there = ddim(exact, CosineAngle(), z, time_grid(400, NEARLY_CLEAN, 0.9))
    back = ddim(exact, CosineAngle(), there, time_grid(400, 0.9))
    torch.testing.assert_close(back, z, atol=0.02, rtol=0)


@pytest.mark.acceptance
@pytest.mark.parametrize("variant", ["content", "noise"])
def test_style_is_listened_to(options_of, trained, last_validation, tmp_path, variant):
    """A gap of zero between the right and a wrong style would mean that style is ignored."""
    corpus = tiny_corpus(tmp_path / "tiny", split={"train": 24, "valid": 6})
    options = options_of(
        variant=variant, autoencoder_width=16, style_dim=32, batch=32, autoencoder_batch=8
    )
    trained(LatentDiffusion(options), 300, tmp_path, corpus, valid=32)
    losses = last_validation(tmp_path / "diffusion")
    right, wrong = losses["valid_loss_by_right_style"], losses["valid_loss_by_wrong_style"]
    assert right < 0.7 and wrong > 1.03 * right


@pytest.mark.parametrize(
    ("variant", "starts"), [("content", (0.9, 1.0)), ("noise", (0.5, 0.75, 0.9))]
)
def test_what_is_chosen_makes_sense_for_the_variant(variant, starts):
    """Without the content view, pure noise would know nothing of the source."""
    found = LatentDiffusion(Options(variant=variant)).candidates(INFO.chosen)
    assert found == {"guidance": INFO.chosen["guidance"], "start_noise": starts}


def test_the_published_system_has_nothing_to_choose():
    assert LatentDiffusion(Options(variant="published")).candidates(INFO.chosen) == {}
