"""Reading SoundFonts: a file written here by the specification, and files that are none."""

import logging

import numpy as np
import pytest
from soundfont_files import INSTRUMENT, PLAIN, soundfont_bytes

from timbrebench.core.errors import BenchError, MissingData
from timbrebench.datasets.sampling.sampler import Sampler
from timbrebench.datasets.sampling.score import Note
from timbrebench.datasets.sampling.soundfont import SoundFont

RATE = 16000
KEYS, ROOT, FINE = 43, 58, 52
ATTENUATION, CUTOFF, DECAY, SUSTAIN, RELEASE, ATTACK, COARSE = 48, 8, 36, 37, 38, 34, 51


def write_soundfont(path, *zones, **given):
    path.write_bytes(soundfont_bytes(*zones, **given))
    return SoundFont(path)


def play(font: SoundFont, key: int, held: float = 1.0) -> np.ndarray:
    return Sampler(font, RATE).play(0, [Note(0, held, key, 127)], round((held + 0.5) * RATE))


def frequency(wave: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(wave[:RATE] * np.hanning(RATE), 1 << 19))
    return float(np.argmax(spectrum)) * RATE / (1 << 19)


def test_a_sine_comes_out_as_the_sine_of_its_key(tmp_path):
    font = write_soundfont(tmp_path / "a.sf2", [{INSTRUMENT: 0}], [PLAIN])
    for key in (45, 69, 93):
        wave = play(font, key)
        expected = 440 * 2 ** ((key - 69) / 12)
        assert abs(frequency(wave) - expected) < 0.05
        time = np.arange(2000, 14000) / RATE
        basis = np.stack([np.sin(2 * np.pi * expected * time), np.cos(2 * np.pi * expected * time)])
        fit, *_ = np.linalg.lstsq(basis.T, wave[2000:14000].astype(float), rcond=None)
        left = wave[2000:14000] - fit @ basis
        assert np.std(left) < 2e-3 * np.hypot(*fit)  # -54 dB: the loop has no seam
        assert abs(np.hypot(*fit) - 16000 / 32768) < 0.01


def test_nothing_above_the_output_band_is_folded_down(tmp_path):
    font = write_soundfont(tmp_path / "a.sf2", [{INSTRUMENT: 0}], [PLAIN])
    assert np.abs(play(font, 69 + 52)[2000:]).max() < 1e-3  # 8.9 kHz at 16 kHz


def test_the_overriding_root_key_and_all_tunings_count(tmp_path):
    zone = {ROOT: 81, FINE: 30, COARSE: -1, **PLAIN}
    font = write_soundfont(tmp_path / "a.sf2", [{INSTRUMENT: 0}], [zone], pitch=60, correction=-10)
    [read] = font.zones(0)
    assert read.root == 81
    assert read.tuning == pytest.approx(-100 + 30 - 10)


def test_global_zones_are_defaults_and_preset_zones_are_added(tmp_path):
    font = write_soundfont(
        tmp_path / "a.sf2",
        [{ATTENUATION: 50}, {KEYS: 100 << 8 | 50, INSTRUMENT: 0}],
        [
            {ATTENUATION: 100, RELEASE: 1200},
            {KEYS: 60 << 8 | 40, **PLAIN},
            {KEYS: 127 << 8 | 61, ATTENUATION: 25, **PLAIN},
        ],
    )
    low, high = font.zones(0)
    assert (low.keys, high.keys) == (range(50, 61), range(61, 101))
    assert low.attenuation_db == pytest.approx(0.4 * 15.0)
    assert high.attenuation_db == pytest.approx(0.4 * 7.5)
    assert low.release == high.release == pytest.approx(2.0)


def test_envelope_falls_straight_in_decibels_to_its_sustain(tmp_path):
    zone = {DECAY: 1200, SUSTAIN: 400, **PLAIN}  # 100 dB in 2 s, down to -40 dB at 0.8 s
    wave = play(write_soundfont(tmp_path / "a.sf2", [{INSTRUMENT: 0}], [zone]), 69, held=1.4)
    rms = [np.sqrt(np.mean(wave[t : t + 800].astype(float) ** 2)) for t in (1600, 6400, 16000)]
    fall = 20 * np.log10(rms / rms[0])
    assert fall == pytest.approx([0, -15, -40 + 5 + 1.25], abs=0.5)


def test_the_low_pass_is_half_as_strong_at_its_cutoff(tmp_path):
    cents = round(1200 * np.log2(440 / 8.176))
    plain = write_soundfont(tmp_path / "a.sf2", [{INSTRUMENT: 0}], [PLAIN])
    soft = write_soundfont(tmp_path / "b.sf2", [{INSTRUMENT: 0}], [{CUTOFF: cents, **PLAIN}])
    ratio = np.std(play(soft, 69)[2000:14000]) / np.std(play(plain, 69)[2000:14000])
    assert 20 * np.log10(ratio) == pytest.approx(-3.0, abs=0.15)


def test_reading_leaves_logging_alone(tmp_path, capfd):
    before = (list(logging.root.handlers), logging.root.manager.disable)
    write_soundfont(tmp_path / "a.sf2", [{INSTRUMENT: 0}], [PLAIN])
    assert (list(logging.root.handlers), logging.root.manager.disable) == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no soundfont at all", bytes(5000)])
def test_a_file_that_is_no_soundfont_is_a_one_line_error(tmp_path, content):
    (tmp_path / "x.sf2").write_bytes(content)
    with pytest.raises(BenchError, match=r"x\.sf2 cannot be read") as caught:
        SoundFont(tmp_path / "x.sf2")
    assert "\n" not in str(caught.value)


def test_a_truncated_soundfont_is_a_one_line_error(tmp_path):
    write_soundfont(tmp_path / "a.sf2", [{INSTRUMENT: 0}], [PLAIN])
    whole = (tmp_path / "a.sf2").read_bytes()
    for size in (len(whole) // 3, len(whole) - 300, len(whole) - 60):
        (tmp_path / "cut.sf2").write_bytes(whole[:size])
        with pytest.raises(BenchError, match="cannot be read"):
            SoundFont(tmp_path / "cut.sf2").zones(0)


def test_what_a_soundfont_lacks_is_said(tmp_path):
    font = write_soundfont(tmp_path / "a.sf2", [{INSTRUMENT: 0}], [PLAIN])
    with pytest.raises(BenchError, match="no program 71"):
        font.zones(71)
    with pytest.raises(MissingData, match="no SoundFont"):
        SoundFont(tmp_path / "none.sf2")
    compressed = write_soundfont(tmp_path / "c.sf2", [{INSTRUMENT: 0}], [PLAIN], kind=0x11)
    with pytest.raises(BenchError, match="SF3"):
        compressed.zones(0)
