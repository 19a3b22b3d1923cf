"""What recordings hold: levels and silence in closed form, sameness whatever the file."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbrebench.core.sounding import db_of, measure, sounds_of

RATE = 16000
pytestmark = pytest.mark.usefixtures("cache")


def sine(seconds: float, peak: float) -> np.ndarray:
    return peak * np.sin(2 * np.pi * 500 * np.arange(round(seconds * RATE)) / RATE)


def written(path: Path, samples: np.ndarray) -> Path:
    soundfile.write(path, np.round(samples * 2**15).astype(np.int16), RATE, subtype="PCM_16")
    return path


def test_levels_and_silence_are_those_of_a_sine_with_a_rest(tmp_path: Path) -> None:
    samples = np.concatenate([sine(7, 0.5), np.zeros(3 * RATE)])
    found = measure(written(tmp_path / "a.wav", samples))
    assert found.seconds == 10 and found.sounds
    assert db_of(found.power) == pytest.approx(10 * np.log10(0.7 * 0.5**2 / 2), abs=1e-3)
    assert found.peak == pytest.approx(0.5, abs=1e-4)
    assert found.silent == pytest.approx(0.3)


@pytest.mark.parametrize("peak, silent", [(2e-3, 0.0), (1e-3, 1.0)])
def test_silence_is_under_60_db(tmp_path: Path, peak: float, silent: float) -> None:
    """A sine's RMS lies 3 dB under its peak: -57 and -63 dB."""
    assert measure(written(tmp_path / "a.wav", sine(2, peak))).silent == silent


def test_the_same_sound_in_another_file_is_the_same(tmp_path: Path) -> None:
    wav, flac = (written(tmp_path / f"a.{form}", sine(1, 0.5)) for form in ("wav", "flac"))
    other = written(tmp_path / "b.wav", sine(1, 0.5)[::-1])
    assert wav.read_bytes() != flac.read_bytes()
    assert measure(wav) == measure(flac)
    assert measure(other).content != measure(wav).content


def test_a_recording_is_decoded_once_and_bad_ones_are_told(tmp_path: Path) -> None:
    good = written(tmp_path / "a.wav", sine(1, 0.5))
    (tmp_path / "bad.wav").write_text("no audio")
    asked = [good, tmp_path / "bad.wav", tmp_path / "none.wav"]
    shares: list[float] = []
    first = sounds_of(asked, 2, lambda told, share: shares.append(share))
    assert first[0] == {good: measure(good)}
    assert first[1].keys() == {tmp_path / "bad.wav", tmp_path / "none.wav"}
    assert shares == [0.5, 1.0]
    copy = tmp_path / "copy.wav"
    copy.write_bytes(good.read_bytes())
    assert sounds_of([copy], 1, lambda *_: shares.append(2))[0] == {copy: measure(good)}
    assert 2 not in shares
