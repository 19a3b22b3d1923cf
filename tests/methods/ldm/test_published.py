"""The published networks and objective, against the figures of the report."""

import numpy as np
import pytest
import torch

from timbrebench.core import mel
from timbrebench.core.errors import BenchError
from timbrebench.core.spectrograms import pairs_of
from timbrebench.methods.ldm import published
from timbrebench.methods.ldm.published_data import FixedRange, OwnMaximum
from timbrebench.methods.ldm.published_diffusion import PUBLISHED_SCHEDULE, STEPS

SPEC = mel.preset("ldm")


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (published.SpectrogramEncoder, 111_840),
        (published.SpectrogramDecoder, 198_209),
        (published.StyleEncoder, 2_729_984),
        (published.CrossAttention, 1_313_792),
        (published.UNet, 8_155_296),
    ],
)
def test_parameter_counts_are_those_of_table_2(network, parameters):
    assert sum(p.numel() for p in network().parameters()) == parameters


def test_shapes():
    mels = torch.zeros(2, 1, 128, 128)
    z = published.SpectrogramEncoder()(mels)
    assert z.shape == (2, 32, 16, 16)
    assert published.SpectrogramDecoder()(z).shape == mels.shape
    style = published.StyleEncoder()(mels)
    assert [m.shape for m in style] == [(2, 256, 4, 4), (2, 512, 2, 2)]
    assert published.UNet()(z, torch.tensor([0, 199]), style).shape == z.shape


def test_what_attention_says_replaces_the_features():
    style = torch.ones(1, 256, 4, 4)  # equal tokens: every question has the same answer
    x, y = torch.randn(2, 1, 256, 4, 4)
    replacing = published.CrossAttention()
    a, b = (replacing.attend_middle(features, style) for features in (x, y))
    torch.testing.assert_close(a, b)
    adding = published.CrossAttention(residual=True)
    adding.load_state_dict(replacing.state_dict())
    torch.testing.assert_close(adding.attend_middle(x, style), x + a)


def test_signal_is_left_at_the_last_step():
    alpha, _ = PUBLISHED_SCHEDULE(torch.ones(1))
    assert float(alpha) == pytest.approx(0.364, abs=1e-3)
    assert STEPS == 200


def test_pairs_are_of_different_instruments_and_always_the_same():
    counts = {"piano": 7, "violin": 3, "harp": 5}
    rows = pairs_of(counts)
    assert len(rows) == 15_000 and rows == pairs_of(counts)
    assert all(a != b and i < counts[a] and j < counts[b] for a, i, b, j in rows)
    assert {(a, b) for a, _, b, _ in rows} == {(a, b) for a in counts for b in counts if a != b}


def test_one_instrument_makes_no_pair():
    with pytest.raises(BenchError, match="only"):
        pairs_of({"piano": 7})


@pytest.mark.parametrize("name", ["ldm", "soundstream"])
def test_scaling_is_undone_to_a_255th_of_80_db(name):
    spec = mel.preset(name)
    span = 80.0 if spec.scale == "db" else 80.0 * np.log(10) / 20
    log = -span * torch.rand(3, 128, 128)
    log[:, 0, 0] = torch.tensor([0.0, -1.0, 2.0])
    log = log.clamp(min=log[:, :1, :1] - span)
    scaling = OwnMaximum(spec)
    image, peak = scaling.images(log)
    assert float(image.max()) == 1 and float(image.min()) >= 0
    torch.testing.assert_close(image * 255, (image * 255).round())
    torch.testing.assert_close(scaling.log_mels(image, peak), log, atol=span / 255, rtol=0)


def test_own_maximum_loses_the_level_and_a_fixed_range_keeps_it():
    quiet = -4.0 - 3 * torch.rand(1, 128, 128)
    loud, gain = quiet + 2, 2
    own, fixed = OwnMaximum(mel.preset("soundstream")), FixedRange({"low": -9.0, "high": 0.0})
    torch.testing.assert_close(own.images(quiet)[0], own.images(loud)[0], atol=1.1 / 255, rtol=0)
    apart = fixed.images(loud)[0] - fixed.images(quiet)[0]
    torch.testing.assert_close(apart, torch.full_like(apart, 2 * gain / 9))
    torch.testing.assert_close(fixed.log_mels(*fixed.images(quiet)), quiet)
