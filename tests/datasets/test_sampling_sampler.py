"""The sampler: in tune, alike to what the SoundFont says, no clicks."""

import math

import numpy as np
import pytest

from timbrebench.datasets.sampling import soundfont
from timbrebench.datasets.sampling.fonts import default_soundfont
from timbrebench.datasets.sampling.sampler import Sampler
from timbrebench.datasets.sampling.score import Note
from timbrebench.datasets.sampling.tuning import detune_cents
from timbrebench.datasets.starlet.instruments import INSTRUMENTS

RATE = 16000


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return Sampler(soundfont.SoundFont(default_soundfont()), RATE)


def play(
    sampler: Sampler, name: str, key: int, held: float = 1.0, velocity: int = 100
) -> np.ndarray:
    """A note, and a second more."""
    notes = [Note(0.0, held, key, velocity)]
    return sampler.play(INSTRUMENTS[name].program, notes, round((held + 1) * RATE))


def autocorrelation(wave: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(wave, 2 * len(wave))
    found = np.fft.irfft(np.abs(spectrum) ** 2)[: len(wave)]
    return found / found[0] * len(wave) / (len(wave) - np.arange(len(wave)))


def cents_off(wave: np.ndarray, key: int, turns: int = 8) -> float:
    """From the written pitch, by the peak of the autocorrelation some periods away."""
    lag = turns * RATE / (440 * 2 ** ((key - 69) / 12))
    found = autocorrelation(wave)
    reach = lag * (2 ** (60 / 1200) - 1)
    lags = np.arange(math.floor(lag - reach), math.ceil(lag + reach) + 1)
    peak = lags[np.argmax(found[lags])]
    left, middle, right = found[peak - 1 : peak + 2]
    exact = peak + 0.5 * (left - right) / (left - 2 * middle + right)
    return 1200 * math.log2(lag / exact)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_instrument_is_in_tune_over_its_range(sampler, name):
    player = INSTRUMENTS[name]
    off = {}
    for key in range(player.low, player.high + 1, 2 if name == "strings" else 1):
        wave = play(sampler, name, key)[RATE // 10 : RATE]
        off[key] = cents_off(wave, key)
    assert {k: round(v, 1) for k, v in off.items() if abs(v) > 10} == {}


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_no_instrument_sounds_an_octave_high(sampler, name):
    """Half a period away, the sound is less like itself than a period away."""
    player = INSTRUMENTS[name]
    for key in range(player.low, player.high + 1, 7):
        found = autocorrelation(play(sampler, name, key)[RATE // 10 : RATE])
        period = RATE / (440 * 2 ** ((key - 69) / 12))
        near = max(1, round(period * 0.02))
        at = [round(period * share) for share in (4.0, 4.5)]
        whole, half = (found[i - near : i + near + 1].max() for i in at)
        assert half < whole - 0.02, key


def level_db(wave: np.ndarray, at: float) -> float:
    """Of a tenth of a second around ``at``."""
    piece = wave[round((at - 0.05) * RATE) : round((at + 0.05) * RATE)]
    return 10 * math.log10(np.mean(piece.astype(np.float64) ** 2) + 1e-20)


@pytest.mark.parametrize("name", ["vibraphone", "piano", "acoustic_guitar", "harp"])
def test_struck_and_plucked_instruments_decay(sampler, name):
    wave = play(sampler, name, 67, held=2.0)
    assert level_db(wave, 1.9) < level_db(wave, 0.1) - 6


@pytest.mark.parametrize("name", ["clarinet", "strings", "violin", "flute"])
def test_blown_and_bowed_instruments_sustain(sampler, name):
    wave = play(sampler, name, 67, held=2.0)
    assert abs(level_db(wave, 1.9) - level_db(wave, 0.5)) < 6


def test_strings_rise_later_than_a_piano(sampler):
    strings, piano = (np.abs(play(sampler, n, 67))[:RATE] for n in ("strings", "piano"))
    rise = [np.argmax(np.maximum.accumulate(w) > 0.7 * w.max()) for w in (strings, piano)]
    assert rise[0] > 2 * rise[1]


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_notes_end_without_a_click(sampler, name):
    """Above the instrument's own partials, nothing happens at the end of a note."""
    wave = play(sampler, name, 60, held=1.0).astype(np.float64)
    jumps = np.abs(np.diff(wave, 2))
    sounding, ending = jumps[RATE // 2 : RATE - 200], jumps[RATE - 100 :]
    assert ending.max() <= 1.1 * sounding.max()


def test_velocity_is_a_gain_by_its_square(sampler):
    loud, soft = (play(sampler, "piano", 60, velocity=v) for v in (120, 60))
    assert np.allclose(soft * 4, loud, atol=1e-6)


def test_a_note_does_not_depend_on_what_was_played_before(sampler):
    """A longer tone begins like a shorter one, so the cache changes nothing."""
    long = play(sampler, "clarinet", 62, held=5.0)
    assert np.array_equal(play(sampler, "clarinet", 62, held=0.9)[: RATE // 2], long[: RATE // 2])


def test_detune_of_known_harmonics():
    time = np.arange(RATE) / RATE
    wave = sum(np.sin(2 * np.pi * 300 * 2 ** (20 / 1200) * h * time) / h for h in range(1, 6))
    assert abs(detune_cents(wave, RATE, 300.0) - 20) < 1.5
    assert detune_cents(wave, RATE, 300.0 * 2 ** (18 / 1200)) == 0.0  # within tolerance
