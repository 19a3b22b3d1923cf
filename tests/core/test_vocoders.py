"""Griffin-Lim against librosa's, and the ONNX decoder with a small model made here."""

import sys
from pathlib import Path

import librosa
import numpy as np
import onnx
import pytest
import torch

from timbrebench.core import mel
from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.files import sha256_of
from timbrebench.core.vocoder_options import GriffinLimOptions, SoundStreamOptions
from timbrebench.core.vocoders import GriffinLim, SoundStreamOnnx, magnitudes

SOUNDSTREAM = mel.preset("soundstream")


def chords(rate: int, seconds: float = 2.0) -> np.ndarray:
    """Harmonic notes with attack and decay."""
    x = np.zeros(round(seconds * rate))
    for start, f0 in [(0.0, 220.0), (0.4, 277.2), (0.8, 329.6), (1.2, 440.0)]:
        t = np.arange(len(x)) / rate - start
        note = sum(np.sin(2 * np.pi * f0 * h * t) / h for h in range(1, 12))
        x += np.where(t > 0, note * np.exp(-3 * np.maximum(t, 0)), 0) * 0.1
    return x.astype(np.float32)


def convergence(x: np.ndarray, y: np.ndarray, spec: mel.MelSpec) -> float:
    """Spectral convergence: relative error of the STFT's magnitudes."""
    a, b = (mel.spectrum(s, spec).abs() for s in (x, y))
    return float((a - b).norm() / a.norm())


def griffin_lim(x: np.ndarray, spec: mel.MelSpec, **options: float) -> np.ndarray:
    vocoder = GriffinLim(GriffinLimOptions(**options))  # type: ignore[arg-type]
    return vocoder.synthesise(mel.log_mel(x, spec).numpy(), spec, len(x))


@pytest.mark.parametrize("name", mel.PRESETS)
def test_griffin_lim_is_as_good_as_librosas(name: str) -> None:
    spec = mel.preset(name)
    x = chords(spec.rate)
    values = mel.expand(mel.log_mel(x, spec), spec).numpy()
    if spec.htk:  # librosa's inverse knows only its own filters
        inverted = magnitudes(mel.log_mel(x, spec), spec).numpy()
    else:
        inverted = librosa.feature.inverse.mel_to_stft(
            values, sr=spec.rate, n_fft=spec.n_fft, power=spec.power
        )
    theirs = librosa.griffinlim(
        inverted, hop_length=spec.hop, win_length=spec.win, length=len(x), random_state=0
    )
    ours = griffin_lim(x, spec)
    assert convergence(x, ours, spec) < 1.03 * convergence(x, theirs, spec) + 0.01


def test_inverting_the_filterbank_beats_the_pseudo_inverse() -> None:
    """Where low bands are narrower than a bin, the latter is negative half of the time."""
    spec = mel.preset("ldm")
    log = mel.log_mel(chords(spec.rate), spec)
    true = mel.spectrum(chords(spec.rate), spec).abs()
    simple = torch.linalg.pinv(mel.filterbank(spec)) @ mel.expand(log, spec)
    error = (magnitudes(log, spec) - true).norm()
    assert error < 0.9 * (simple.clamp_min(0).sqrt() - true).norm()


@pytest.mark.parametrize("name", mel.PRESETS)
@pytest.mark.parametrize("extra", [0, 1, 100])
def test_length_is_exact_and_the_end_does_not_click(name: str, extra: int) -> None:
    spec = mel.preset(name)
    x = chords(spec.rate)[: 20 * spec.hop + extra]
    y = griffin_lim(x, spec)
    assert y.shape == x.shape and y.dtype == np.float32
    assert np.abs(y[-spec.hop :]).max() < 2 * np.abs(x).max()


def test_it_is_deterministic_and_more_iterations_are_better() -> None:
    x = chords(16000)
    np.testing.assert_array_equal(griffin_lim(x, SOUNDSTREAM), griffin_lim(x, SOUNDSTREAM))
    errors = [
        convergence(x, griffin_lim(x, SOUNDSTREAM, iterations=n), SOUNDSTREAM) for n in (1, 8, 64)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_silence_stays_silent() -> None:
    quiet = np.full((128, 11), mel.silence(SOUNDSTREAM), np.float32)
    y = GriffinLim(GriffinLimOptions()).synthesise(quiet, SOUNDSTREAM, 3200)
    assert np.abs(y).max() < 1e-4


def test_a_log_mel_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="is not 3200 samples"):
        GriffinLim(GriffinLimOptions()).synthesise(np.zeros((128, 4)), SOUNDSTREAM, 3200)


# ---------------------------------------------------------------------------- the ONNX decoder


def decoder(path: Path, mels: int = 128, samples: int = 320) -> Path:
    """A model whose every output sample of a frame is the frame's first log-mel value."""
    weight = np.zeros((mels, samples), np.float32)
    weight[0] = 1
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("MatMul", ["mel", "weight"], ["frames"]),
            onnx.helper.make_node("Reshape", ["frames", "shape"], ["audio"]),
        ],
        "decoder",
        [onnx.helper.make_tensor_value_info("mel", onnx.TensorProto.FLOAT, ["b", "t", mels])],
        [onnx.helper.make_tensor_value_info("audio", onnx.TensorProto.FLOAT, ["b", "n"])],
        [
            onnx.numpy_helper.from_array(weight, "weight"),
            onnx.numpy_helper.from_array(np.array([1, -1]), "shape"),
        ],
    )
    opset = [onnx.helper.make_opsetid("", 13)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def test_the_decoder_gets_frames_where_it_expects_them(tmp_path: Path) -> None:
    """Its block t starts at sample 320·t: our frame, centred there, is number t + 1."""
    path = decoder(tmp_path / "decoder.onnx")
    vocoder = SoundStreamOnnx(SoundStreamOptions(path=str(path)))
    log_mel = np.zeros((128, 11), np.float32)
    log_mel[0] = np.arange(11)
    y = vocoder.synthesise(log_mel, SOUNDSTREAM, 3300)
    np.testing.assert_array_equal(y, np.r_[np.repeat(np.arange(1, 11), 320), np.full(100, 10)])
    assert y.dtype == np.float32
    assert vocoder.provenance == {"file": "decoder.onnx", "sha256": sha256_of(path)}


def test_the_decoder_takes_one_mel_only(tmp_path: Path) -> None:
    vocoder = SoundStreamOnnx(SoundStreamOptions(path=str(decoder(tmp_path / "d.onnx"))))
    with pytest.raises(BenchError, match="'soundstream', not 'ldm'"):
        vocoder.synthesise(np.zeros((128, 1)), mel.preset("ldm"), 100)


@pytest.mark.parametrize("path", ["", "absent.onnx"])
def test_a_missing_decoder_names_the_option(path: str) -> None:
    with pytest.raises(MissingData, match=r"soundstream\.path"):
        SoundStreamOnnx(SoundStreamOptions(path=path))


def test_a_file_that_is_no_decoder(tmp_path: Path) -> None:
    (text := tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(BenchError, match="no ONNX model"):
        SoundStreamOnnx(SoundStreamOptions(path=str(text)))
    with pytest.raises(BenchError, match="frames, 128"):
        SoundStreamOnnx(SoundStreamOptions(path=str(decoder(tmp_path / "64.onnx", mels=64))))
    short = SoundStreamOnnx(SoundStreamOptions(path=str(decoder(tmp_path / "s.onnx", samples=3))))
    with pytest.raises(BenchError, match="samples where"):
        short.synthesise(np.zeros((128, 11), np.float32), SOUNDSTREAM, 3200)


def test_without_onnxruntime_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BenchError, match=r"timbrebench\[soundstream\]"):
        SoundStreamOnnx(SoundStreamOptions(path=str(decoder(tmp_path / "d.onnx"))))
