"""Embeddings: VGGish against torchvggish with the same random weights, and the log-mel one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from timbrebench.benchmarks.metrics.logmel import LogMel, windows_of
from timbrebench.benchmarks.metrics.vggish import VGGish
from timbrebench.benchmarks.metrics.vggish_net import Convolution
from timbrebench.core import weights
from timbrebench.core.errors import BenchError, CannotMeasure, MissingData
from timbrebench.core.files import sha256_of
from timbrebench.core.options import NoOptions
from timbrebench.core.records import Clip


def music(seconds: float, rate: int = 16000) -> Clip:
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(0).standard_normal(len(time))
    samples = 0.3 * np.sin(2 * np.pi * (200 + 40 * time) * time) + 0.01 * noise
    return Clip(samples.astype(np.float32), rate)


@pytest.mark.parametrize("seconds", [0.98, 3.0, 5.7])
def test_front_end_equals_torchvggish(seconds: float) -> None:
    from torchvggish import vggish_input

    clip = music(seconds)
    expected = vggish_input.waveform_to_examples(clip.samples, 16000, return_tensor=False)
    found = windows_of(clip.samples)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_logmel_is_mean_and_deviation_of_each_band() -> None:
    clip = music(2.5)
    found = LogMel(NoOptions()).embed(clip)
    windows = windows_of(clip.samples)
    assert found.shape == (2, 128) and found.dtype == np.float32
    assert found[1, 5] == pytest.approx(windows[1, :, 5].mean(), rel=1e-5)
    assert found[1, 64 + 5] == pytest.approx(windows[1, :, 5].std(), rel=1e-5)


def test_less_than_a_window_cannot_be_embedded() -> None:
    with pytest.raises(CannotMeasure, match=r"0\.96 s are shorter than a window of 0\.975 s"):
        LogMel(NoOptions()).embed(music(0.96))


def test_vggish_without_weights_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path))
    vggish = VGGish(NoOptions())
    assert "bench data prepare vggish" in vggish.missing()
    with pytest.raises(MissingData, match="bench data prepare vggish"):
        vggish.embed(music(1))
    path = weights.known("vggish").path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no weights")
    with pytest.raises(BenchError, match="sha256"):
        vggish.embed(music(1))


def test_vggish_equals_torchvggish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvggish import vggish_input
    from torchvggish.torchvggish import VGG, make_layers

    torch.manual_seed(0)
    theirs = VGG(make_layers(), postprocess=False)
    made_up = weights.Weights("vggish", "made-up.pth", "", "", 0)
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path))
    made_up.path.parent.mkdir(parents=True)
    torch.save(theirs.state_dict(), made_up.path)
    known = weights.Weights("vggish", "made-up.pth", "", sha256_of(made_up.path), 0)
    monkeypatch.setattr(weights, "KNOWN", {"vggish": known})
    theirs.embeddings = theirs.embeddings[:-1]  # without the last ReLU

    clip = music(3)
    with torch.no_grad():
        expected = theirs(vggish_input.waveform_to_examples(clip.samples, 16000)).numpy()
    found = VGGish(NoOptions()).embed(clip)
    assert found.shape == (3, 128)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("channels", [1, 6])
@pytest.mark.parametrize("pooled", [False, True])
def test_its_convolutions_equal_torchs(channels: int, pooled: bool) -> None:
    torch.manual_seed(0)
    layer = Convolution(channels, 5, pooled).double()
    maps = torch.randn(2, 8, 12, channels, dtype=torch.float64)
    with torch.no_grad():
        expected = layer._conv_forward(maps.permute(0, 3, 1, 2), layer.weight, layer.bias).relu()
        expected = torch.nn.functional.max_pool2d(expected, 2) if pooled else expected
        found = layer(maps).permute(0, 3, 1, 2)
    torch.testing.assert_close(found, expected)
