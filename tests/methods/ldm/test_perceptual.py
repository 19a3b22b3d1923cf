"""Perceptual distances, checked against torchvggish and by hand."""

import pytest
import torch

from timbrebench.core.errors import MissingData
from timbrebench.methods.ldm.perceptual import CHANNELS, Perceptual, VggishFeatures, multiscale


def test_features_are_those_of_torchvggish():
    reference = pytest.importorskip("torchvggish.torchvggish").make_layers()
    ours = VggishFeatures()
    ours.load_state_dict({f"features.{k}": v for k, v in reference.state_dict().items()})
    mels = torch.randn(2, 1, 64, 96)
    expected, h = [], mels.transpose(-1, -2)
    for index, layer in enumerate(reference):
        h = layer(h)
        if index - 1 in CHANNELS:  # the ReLU after a convolution
            expected.append(h)
    torch.testing.assert_close(ours(mels), expected)


def test_absent_weights_are_an_error_that_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path))
    with pytest.raises(MissingData, match="bench data prepare vggish"):
        Perceptual("vggish").load("cpu")


def test_multiscale_by_hand():
    """An offset costs nothing. A slope of 1 a frame: 1 in time at the first scale, 2 and 4 at
    the halved ones, nothing in frequency, over six parts."""
    flat = torch.zeros(1, 1, 16, 16)
    slope = torch.arange(16.0).expand(1, 1, 16, 16)
    assert float(multiscale(flat + 3, flat)) == 0
    assert float(multiscale(slope, flat)) == pytest.approx((1 + 2 + 4) / 6)


def test_none_is_zero_and_identity_is_zero():
    mel = torch.randn(1, 1, 128, 128)
    assert float(Perceptual("none")(mel, -mel)) == 0
    assert float(Perceptual("multiscale")(mel, mel)) == 0
    vggish = Perceptual("vggish")
    vggish.build()
    assert float(vggish(mel, mel)) == 0 and float(vggish(mel, -mel)) > 0
