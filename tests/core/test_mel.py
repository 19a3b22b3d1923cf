"""Log-mels against librosa, and against a plain NumPy computation for the HTK preset."""

import librosa
import numpy as np
import pytest
import torch

from timbrebench.core import mel
from timbrebench.core.errors import UnknownName

SLANEY = ["ldm", "audio_diffusion"]


def noise_and_tone(rate: int, seconds: float = 2.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * rate)) / rate
    x = 0.3 * np.sin(2 * np.pi * 440 * t) * np.exp(-t) + 0.01 * rng.standard_normal(len(t))
    return x.astype(np.float32)


@pytest.mark.parametrize("name", SLANEY)
def test_the_filterbank_is_librosas(name: str) -> None:
    spec = mel.preset(name)
    theirs = librosa.filters.mel(
        sr=spec.rate, n_fft=spec.n_fft, n_mels=spec.n_mels, fmin=spec.fmin, fmax=spec.fmax
    )
    np.testing.assert_allclose(mel.filterbank(spec).numpy(), theirs, atol=1e-8)


def test_the_htk_filterbank_is_made_of_triangles_in_mel() -> None:
    """Each value by its definition, one at a time."""
    spec = mel.preset("soundstream")
    bank = mel.filterbank(spec).numpy()
    top = 1127 * np.log(1 + 8000 / 700)
    edges = np.arange(130) * top / 129
    for band in (0, 1, 50, 127):
        left, centre, right = edges[band : band + 3]
        for bin in (1, 2, 3, 40, 200, 511, 512):
            at = 1127 * np.log(1 + bin * 16000 / 1024 / 700)
            value = max(0.0, min((at - left) / (centre - left), (right - at) / (right - centre)))
            assert bank[band, bin] == pytest.approx(value, abs=1e-6)
    assert not bank[:, 0].any()


@pytest.mark.parametrize("name", SLANEY)
def test_log_mel_is_librosas(name: str) -> None:
    spec = mel.preset(name)
    x = noise_and_tone(spec.rate)
    power = librosa.feature.melspectrogram(y=x, sr=spec.rate, n_mels=spec.n_mels)
    theirs = librosa.power_to_db(power, top_db=None)
    np.testing.assert_allclose(mel.log_mel(x, spec).numpy(), theirs, atol=2e-3)


def test_soundstream_log_mel_is_the_one_of_its_definition() -> None:
    spec = mel.preset("soundstream")
    x = noise_and_tone(spec.rate, 0.5)
    padded = np.pad(x.astype(np.float64), 320)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(640) / 640)
    frames = [padded[i : i + 640] * window for i in range(0, len(padded) - 639, 320)]
    magnitude = np.abs(np.fft.rfft(frames, 1024)).T
    theirs = np.log(np.clip(mel.filterbank(spec).numpy() @ magnitude, 1e-5, 1e8))
    ours = mel.log_mel(x, spec).numpy()
    assert ours.shape == (128, spec.frames_of(len(x)))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("name", mel.PRESETS)
def test_shapes_silence_and_batches(name: str) -> None:
    spec = mel.preset(name)
    for n in (1, spec.hop - 1, spec.hop, 5 * spec.hop + 7):
        quiet = mel.log_mel(np.zeros((2, n), np.float32), spec)
        assert quiet.shape == (2, spec.n_mels, spec.frames_of(n))
        assert torch.allclose(quiet, torch.tensor(mel.silence(spec)))
    x = noise_and_tone(spec.rate)
    both = mel.log_mel(np.stack([x, -x]), spec)
    torch.testing.assert_close(both[0], mel.log_mel(x, spec))


def test_long_audio_is_cut_into_blocks_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = mel.preset("soundstream")
    x = noise_and_tone(spec.rate)
    whole = mel.log_mel(x, spec)
    monkeypatch.setattr(mel, "_FEW", 7)
    torch.testing.assert_close(mel.log_mel(x, spec), whole, rtol=0, atol=1e-4)


def test_silence_of_the_presets() -> None:
    assert mel.silence(mel.preset("soundstream")) == pytest.approx(-11.513, abs=1e-3)
    assert mel.silence(mel.preset("ldm")) == pytest.approx(-100)


@pytest.mark.parametrize("name", mel.PRESETS)
def test_expand_undoes_compress(name: str) -> None:
    spec = mel.preset(name)
    values = torch.logspace(-4, 4, 50)
    torch.testing.assert_close(
        mel.expand(mel.compress(values, spec), spec), values, rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("name", mel.PRESETS)
def test_ten_times_the_amplitude_is_twenty_decibels(name: str) -> None:
    spec = mel.preset(name)
    x = noise_and_tone(spec.rate)
    step = mel.log_mel(10 * x, spec) - mel.log_mel(x, spec)
    expected = np.log(10) if spec.scale == "ln" else 20.0
    assert float(step.median()) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", mel.PRESETS)
def test_the_range_of_a_training_set_spans_80_db_and_undoes(name: str) -> None:
    spec = mel.preset(name)
    loud = mel.log_mel(noise_and_tone(spec.rate), spec)
    quiet = mel.log_mel(0.1 * noise_and_tone(spec.rate), spec)
    state = mel.fit_range([quiet, loud.numpy()], spec)
    assert state["high"] == pytest.approx(float(loud.max()))
    span = state["high"] - state["low"]
    assert span * (20 / np.log(10) if spec.scale == "ln" else 1) == pytest.approx(mel.RANGE_DB)
    values = mel.normalise(loud, state)
    assert float(values.max()) == pytest.approx(1) and float(values.min()) >= -1
    back = mel.denormalise(values, state)
    torch.testing.assert_close(back, loud.clamp_min(state["low"]), rtol=0, atol=1e-4)
    np.testing.assert_allclose(mel.normalise(loud.numpy(), state), values.numpy(), atol=1e-6)


def test_a_range_never_reaches_below_silence() -> None:
    spec = mel.preset("soundstream")
    low = mel.silence(spec)
    assert mel.fit_range([torch.full((128, 3), low + 1)], spec)["low"] == pytest.approx(low)


def test_a_slices_own_range_reaches_both_ends_and_stands_a_constant() -> None:
    spec = mel.preset("soundstream")
    values = mel.log_mel(noise_and_tone(spec.rate), spec)
    own = mel.normalise(values, mel.slice_range(values))
    assert (float(own.min()), float(own.max())) == pytest.approx((-1, 1))
    flat = torch.full((128, 4), -3.0)
    state = mel.slice_range(flat)
    torch.testing.assert_close(mel.denormalise(mel.normalise(flat, state), state), flat)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="soundstream"):
        mel.preset("soundstrem")
