"""Audio in and out: exact where a closed form exists, and a reason for every file that is bad."""

import struct
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile as sf

from timbrebench.core import audio
from timbrebench.core.errors import BadAudio, BenchError

RATE = 16000


def tone(seconds: float = 1.0, rate: int = RATE, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def saved(path: Path, samples: np.ndarray, rate: int = RATE, **how: str) -> Path:
    sf.write(path, samples, rate, **how)
    return path


# ---------------------------------------------------------------------------- what is good


def test_float_wav_is_read_exactly(tmp_path: Path) -> None:
    x = tone(2.3)
    got = audio.load(saved(tmp_path / "a.wav", x, subtype="FLOAT"), RATE)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, x)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"a.{suffix}", tone())
    assert audio.probe(path) == (pytest.approx(1, abs=0.1), RATE, 1)
    got = audio.load(path, RATE)
    assert abs(audio.rms(got[2000:14000]) - 0.5 / np.sqrt(2)) < 0.01


def test_stereo_is_mixed_and_resampled_as_librosa_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stereo = rng.uniform(-0.5, 0.5, (200_000, 2)).astype("f4")  # more than one block
    path = saved(tmp_path / "a.wav", stereo, 44100, subtype="FLOAT")
    theirs, _ = librosa.load(path, sr=RATE)
    ours = audio.load(path, RATE)
    assert abs(len(ours) - len(theirs)) <= 1
    np.testing.assert_allclose(ours[: len(theirs)], theirs[: len(ours)], atol=1e-5)


def test_as_it_is_a_file_may_be_short_and_keeps_its_rate(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    stereo = np.array([[0.5, 0.25], [-0.5, 0.0]], np.float32)
    sf.write(path, stereo, 11025, subtype="FLOAT")
    samples, rate = audio.load_as_is(path)
    np.testing.assert_allclose(samples, [0.375, -0.25])
    assert rate == 11025
    with pytest.raises(BadAudio, match="at least"):
        audio.load(path, 11025)
    sf.write(path, np.zeros(0), 11025)
    with pytest.raises(BadAudio, match="no audio"):
        audio.load_as_is(path)


def test_resampling_in_memory_is_that_of_loading(tmp_path: Path) -> None:
    x = tone(5, 44100)
    path = saved(tmp_path / "a.wav", x, 44100, subtype="FLOAT")
    np.testing.assert_allclose(audio.resample(x, 44100, RATE), audio.load(path, RATE), atol=1e-5)
    assert audio.resample(x, RATE, RATE) is x


def test_a_resampled_tone_keeps_pitch_and_level(tmp_path: Path) -> None:
    got = audio.load(saved(tmp_path / "a.wav", tone(2, 48000), 48000, subtype="FLOAT"), 22050)
    np.testing.assert_allclose(got[1000:-1000], tone(2, 22050)[1000 : len(got) - 1000], atol=1e-3)


@pytest.mark.parametrize("rate", [RATE, 22050])
def test_a_beginning_is_the_beginning_of_the_whole(tmp_path: Path, rate: int) -> None:
    path = saved(tmp_path / "a.flac", tone(20))
    part = audio.load(path, rate, seconds=1.5)
    assert len(part) == round(1.5 * rate)
    np.testing.assert_array_equal(part, audio.load(path, rate)[: len(part)])


def test_a_wav_written_to_a_pipe_has_no_length_and_is_fine(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.wav", tone())
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(data)
    assert len(audio.load(path, RATE)) == RATE


@pytest.mark.parametrize("name", ["-dash.wav", "sp ace é 音.flac", "UPPER.WAV"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    audio.write(tmp_path / name, tone(), RATE)
    assert len(audio.load(tmp_path / name, RATE)) == RATE


# ---------------------------------------------------------------------------- what is bad


def _text(path: Path) -> None:
    path.write_text("no audio at all " * 100)


def _nan(path: Path) -> None:
    x = tone()
    x[5000] = np.nan
    saved(path, x, subtype="FLOAT")


def _unscaled(path: Path) -> None:
    saved(path, tone() * 32768, subtype="FLOAT")


def _one_hertz(path: Path) -> None:
    saved(path, tone())
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", 1)
    path.write_bytes(data)


def _lying(path: Path) -> None:
    saved(path, tone())
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(data)


def _cut(path: Path, kept: float = 0.6) -> None:
    saved(path, np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE))
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])


def _lying_flac(path: Path) -> None:
    """STREAMINFO's 36-bit sample count says 49 days."""
    saved(path, tone())
    data = bytearray(path.read_bytes())
    data[21:26] = bytes([data[21] | 0x0F, 255, 255, 255, 255])
    path.write_bytes(data)


HOSTILE = {
    "text.wav": (_text, "cannot be read as audio"),
    "empty.wav": (Path.touch, "the file is empty"),
    "folder.wav": (Path.mkdir, "it is a folder"),
    "absent.wav": (lambda path: None, "no such file"),
    "cut.wav": (_cut, "truncated"),
    "cut.flac": (_cut, "truncated"),
    "cut.ogg": (_cut, "truncated"),
    "cut.mp3": (_cut, "truncated"),
    "header-only.wav": (lambda p: _cut(p, 44 / 96044), "truncated"),
    "nan.wav": (_nan, "NaN"),
    "unscaled.wav": (_unscaled, "full scale"),
    "channels.wav": (lambda p: saved(p, np.zeros((RATE, 64))), "64 channels"),
    "one-hertz.wav": (_one_hertz, "1 Hz"),
    "short.wav": (lambda p: saved(p, tone(0.01)), "lasts 0.01 s"),
    "lying.wav": (_lying, "truncated"),
    "lying.flac": (_lying_flac, "hours"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_file_is_named_with_its_reason(tmp_path: Path, name: str) -> None:
    make, reason = HOSTILE[name]
    path = tmp_path / name
    make(path)
    with pytest.raises(BadAudio, match=reason) as caught:
        audio.load(path, RATE)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(set(HOSTILE) - {"nan.wav", "unscaled.wav", "cut.mp3"}))
def test_a_header_check_finds_all_that_shows_without_decoding(tmp_path: Path, name: str) -> None:
    HOSTILE[name][0](tmp_path / name)
    with pytest.raises(BadAudio):
        audio.probe(tmp_path / name)


def test_a_flac_that_lost_one_byte(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.flac", tone())
    path.write_bytes(path.read_bytes()[:-1])
    for read in (audio.probe, lambda p: audio.load(p, RATE)):
        with pytest.raises(BadAudio, match="truncated"):
            read(path)


# ---------------------------------------------------------------------------- writing, levels


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_what_is_written_comes_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"a.{suffix}"
    assert audio.write(path, tone(), RATE) == 1.0
    np.testing.assert_allclose(audio.load(path, RATE), tone(), atol=1 / 32768)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_peak_over_full_scale_is_brought_down_and_told(tmp_path: Path) -> None:
    gain = audio.write(tmp_path / "a.flac", 4 * tone(), RATE)
    assert gain == pytest.approx(audio.CEILING / 2, rel=1e-3)
    np.testing.assert_allclose(
        audio.load(tmp_path / "a.flac", RATE), 4 * tone() * gain, atol=1 / 32768
    )


def test_nothing_is_written_for_nan_or_another_format(tmp_path: Path) -> None:
    with pytest.raises(BadAudio):
        audio.write(tmp_path / "a.flac", np.array([np.nan]), RATE)
    with pytest.raises(BenchError):
        audio.write(tmp_path / "a.mp3", tone(), RATE)
    assert not list(tmp_path.iterdir())


def test_levels() -> None:
    assert audio.rms(tone()) == pytest.approx(0.5 / np.sqrt(2), rel=1e-5)
    assert audio.rms_db(np.ones(100, np.float32)) == pytest.approx(0)
    assert audio.rms_db(np.zeros(100)) == -120
    assert audio.rms(audio.match_rms(tone(), 0.1)) == pytest.approx(0.1, rel=1e-5)
    assert not audio.match_rms(np.zeros(10, np.float32), 0.1).any()
