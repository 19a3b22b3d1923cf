"""Inference: any length, one stream an item, nothing of the neighbours."""

import numpy as np
import pytest

from timbrebench.core.seeds import generator
from timbrebench.methods.ldm.model import LatentDiffusion
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


@pytest.mark.acceptance
@pytest.mark.parametrize("variant", ["content", "noise"])
def test_style_is_listened_to(options_of, trained, last_validation, tmp_path, variant):
    """A gap of zero between the right and a wrong style would mean that style is ignored."""
    corpus = tiny_corpus(tmp_path / "tiny", split={"train": 24, "valid": 6})
    options = options_of(variant=variant, autoencoder_width=16, style_dim=32, batch=32)
    trained(LatentDiffusion(options), 300, tmp_path, corpus)
    losses = last_validation(tmp_path / "diffusion")
    right, wrong = losses["valid_loss_by_right_style"], losses["valid_loss_by_wrong_style"]
    assert right < 0.7 and wrong > 1.03 * right
