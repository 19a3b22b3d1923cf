"""Spectrograms as pictures: those of librosa, and audio of them as good as Griffin-Lim's."""

import struct
import zlib
from pathlib import Path

import librosa
import numpy as np
import pytest
from PIL import Image

from timbrebench.core.errors import BenchError
from timbrebench.core.mel import log_mel
from timbrebench.core.spectrograms import (
    SPEC,
    audio_of,
    chunks_of,
    grey,
    of_grey,
    read_png,
    write_png,
)
from timbrebench.core.vocoder_options import GriffinLimOptions
from timbrebench.core.vocoders import GriffinLim

RATE, SIZE = 22050, 3 * 22050


def music(seconds: float, peak: float = 0.5) -> np.ndarray:
    """Notes of six partials that die away."""
    time = np.arange(round(seconds * RATE)) / RATE
    total = np.zeros(len(time))
    for number, pitch in enumerate(np.random.default_rng(0).integers(50, 75, round(4 * seconds))):
        hz, since = 440 * 2 ** ((pitch - 69) / 12), time - number / 4
        tones = sum(np.sin(2 * np.pi * k * hz * since) / k for k in range(1, 7))
        total += np.where(since >= 0, np.exp(-3 * np.maximum(since, 0)), 0) * tones
    return (peak * total / np.abs(total).max()).astype(np.float32)


def test_pictures_are_those_of_librosa() -> None:
    samples = np.concatenate([np.zeros(RATE), music(7.5), np.zeros(RATE)]).astype(np.float32)
    trimmed = librosa.effects.trim(samples, top_db=20)[0]
    found = [values for values, _ in chunks_of(samples)]
    assert len(found) == -(-len(trimmed) // SIZE)
    for number, values in enumerate(found):
        part = librosa.util.fix_length(trimmed[number * SIZE : (number + 1) * SIZE], size=SIZE)
        power = librosa.feature.melspectrogram(y=part, sr=RATE)
        expected = np.round((librosa.power_to_db(power, ref=np.max) / 80 + 1) * 255)
        assert values.shape == (128, 130) and values.dtype == np.uint8
        assert np.abs(values - expected).max() <= 1  # where a value lies between two
        assert (values != expected).mean() < 0.001


def test_grey_is_undone_to_half_a_step() -> None:
    values = np.random.default_rng(0).uniform(-95, 5, (128, 130)).astype(np.float32)
    undone = of_grey(grey(values, 5.0), 5.0)
    np.testing.assert_allclose(undone, np.maximum(values, -75), atol=80 / 255 / 2 + 1e-4)


def test_a_picture_is_read_as_it_was_written(tmp_path: Path) -> None:
    (chunk,) = chunks_of(music(2))
    write_png(tmp_path / "a.png", chunk)
    with Image.open(tmp_path / "a.png") as picture:
        assert (picture.mode, picture.size) == ("L", (130, 128))
    values, peak = read_png(tmp_path / "a.png")
    np.testing.assert_array_equal(values, chunk[0])
    assert peak == pytest.approx(chunk[1], abs=1e-4)
    Image.fromarray(values).save(tmp_path / "b.png")  # as others write them
    assert read_png(tmp_path / "b.png")[1] is None


def test_audio_of_pictures_is_as_good_as_griffin_lim_of_the_same_mel() -> None:
    """Half a grey step is 0.16 dB: beside Griffin-Lim's own error it hardly counts."""
    samples = music(6)
    chunks = list(chunks_of(samples))
    wanted = [log_mel(np.resize(samples, SIZE * 2)[n * SIZE :][:SIZE], SPEC) for n in (0, 1)]
    assert len(chunks) == 2
    pictured = audio_of(chunks)
    assert len(pictured) == 2 * SIZE
    vocoder = GriffinLim(GriffinLimOptions())
    for number, target in enumerate(wanted):
        direct = vocoder.synthesise(target.numpy(), SPEC, SIZE)
        part = pictured[number * SIZE : (number + 1) * SIZE]
        ours, theirs = (error_db(made, target.numpy()) for made in (part, direct))
        assert ours < theirs + 0.3, (ours, theirs)
        assert ours < 3


def error_db(made: np.ndarray, target: np.ndarray) -> float:
    """The mean distance of log-mels in dB, within 80 dB of the target's maximum."""
    floor = target.max() - 80
    found = log_mel(made, SPEC).numpy()
    return float(np.abs(np.maximum(found, floor) - np.maximum(target, floor)).mean())


def test_cropped_pictures_without_a_level_are_audio_too() -> None:
    (chunk,) = chunks_of(music(2.9))
    made = audio_of([(chunk[0][:, :128], None)])
    assert len(made) == 127 * 512
    assert np.abs(made).max() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("wrong", ["size", "colour", "text", "huge", "bomb"])
def test_what_is_no_such_picture_is_told(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "a.png"
    if wrong == "text":
        path.write_text("no picture")
    elif wrong == "bomb":  # 60 bytes that claim to be 10 gigapixels
        header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
        checked = struct.pack(">I", zlib.crc32(header))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checked)
    elif wrong == "huge":
        Image.fromarray(np.zeros((128, 5000), np.uint8)).save(path)
    elif wrong == "colour":
        Image.fromarray(np.zeros((128, 130, 3), np.uint8)).save(path)
    else:
        Image.fromarray(np.zeros((64, 130), np.uint8)).save(path)
    with pytest.raises(BenchError, match=r"a\.png"):
        read_png(path)
