"""Novelty: a case by hand, and what is known to be new, copied or no music."""

import json

import numpy as np
import pytest

from timbrebench.benchmarks.metrics import novelty
from timbrebench.benchmarks.metrics.novelty import Novelty, compared, frames_of, nearest, windows_of
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.mel import log_mel, preset
from timbrebench.core.options import NoOptions, describe
from timbrebench.core.records import Clip
from timbrebench.core.registry import create, registry
from timbrebench.core.seeds import generator
from timbrebench.testing import tiny_corpus

RATE = 16000
INSTRUMENTS = ("bell", "bow", "reed")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    split = {"train": 10, "test": 4}
    return tiny_corpus(tmp_path_factory.mktemp("tiny"), split=split, seconds=8.0)


def clips(corpus, split: str, instrument: str) -> list[Clip]:
    return [corpus.load(t.id, instrument, RATE) for t in corpus.tracks_of(split, instrument)]


def measured(references: list[Clip], estimates: list[Clip]):
    return Novelty(NoOptions()).measure(references, estimates)


def ratio(references: list[Clip], estimates: list[Clip]) -> float:
    return measured(references, estimates)[0]["nearest_training_ratio"]


# ---------------------------------------------------------------------------- by hand


def test_a_case_by_hand() -> None:
    """Tracks of one window each, at 0, 1 and 3: the others are 1, 1 and 2 away."""
    tracks = [np.full((1, 4), x, np.float32) for x in (0, 1, 3)]
    blocks = list(enumerate(tracks))
    real = nearest(np.concatenate(tracks), np.arange(3), blocks)
    assert real.tolist() == [1, 1, 2]
    estimates = np.stack([np.full(4, x, np.float32) for x in (0.25, 2.25, 7, 3)])
    made = nearest(estimates, np.full(4, -1), blocks)
    assert made.tolist() == [0.25, 0.75, 4, 0]
    values, of_real = compared(real, made)
    assert values == {"nearest_training_ratio": 0.5, "copied_fraction": 0.5}
    assert of_real == {"real_distance_db": 1, "real_copied_fraction": 0}


def test_nearest_equals_the_plain_distances() -> None:
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((20, 50)).astype(np.float32)
    tracks = [rng.standard_normal((n, 50)).astype(np.float32) for n in (7, 1, 30)]
    owners = rng.integers(-1, 3, 20)
    expected = [
        min(
            np.sqrt(np.mean((query - window) ** 2))
            for number, windows in enumerate(tracks)
            for window in windows
            if number != owner
        )
        for query, owner in zip(queries, owners, strict=True)
    ]
    found = nearest(queries, owners, enumerate(tracks))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_windows_are_of_one_second_and_ignore_gain_and_rests() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    windows = windows_of(frames_of(noise), 1)
    assert windows.shape == (101 - 24, 25 * 40)
    np.testing.assert_allclose(windows, windows_of(frames_of(0.01 * noise), 1), atol=0.01)
    power = 10 ** (windows.astype(np.float64) / 10)
    np.testing.assert_allclose(power.mean(axis=1), 1, rtol=1e-3)
    rest = np.concatenate([noise, np.zeros(4 * RATE, np.float32)])
    assert len(windows_of(frames_of(rest), 1)) == 101  # all that hold a frame of the noise


# ---------------------------------------------------------------------------- what is known


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_real_pieces_are_new(corpus, instrument) -> None:
    values, details = measured(*(clips(corpus, s, instrument) for s in ("train", "test")))
    assert 0.7 < values["nearest_training_ratio"] < 1.4
    assert abs(values["copied_fraction"] - details["real_copied_fraction"]) < 0.15
    assert details["n_files"] == 4 and details["n_reference_files"] == 10
    assert details["n"] == 4 * 15 and details["n_real"] == 10 * 15


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_copies_are_found_at_any_offset_and_gain(corpus, instrument) -> None:
    training = clips(corpus, "train", instrument)
    copies = [Clip(0.3 * c.samples[1237 + 997 * i :], RATE) for i, c in enumerate(training[:5])]
    values, _ = measured(training, copies)
    assert values["nearest_training_ratio"] < 0.4
    assert values["copied_fraction"] > 0.9


def test_copies_through_a_vocoder_are_found(corpus) -> None:
    training = clips(corpus, "train", "bow")
    entry = registry().find("vocoder", "griffinlim")
    vocoder = create(entry, {s.name: s.default for s in describe(entry.info.options)})
    spec = preset("soundstream")
    cut = [c.samples[1237 + 997 * i :] for i, c in enumerate(training[:3])]
    made = [Clip(vocoder.synthesise(log_mel(x, spec).numpy(), spec, len(x)), RATE) for x in cut]
    assert ratio(training, made) < 0.45


def test_a_half_copied_set_shows_in_the_fraction(corpus) -> None:
    training, tests = clips(corpus, "train", "reed"), clips(corpus, "test", "reed")
    copies = [Clip(c.samples[1237:], RATE) for c in training[:4]]
    alone = measured(training, tests)[0]["copied_fraction"]
    half = measured(training, [*tests, *copies])[0]["copied_fraction"]
    assert half == pytest.approx((alone + 1) / 2, abs=0.1)


def test_noise_and_other_instruments_are_far(corpus) -> None:
    training = clips(corpus, "train", "bow")
    noise = Clip(0.1 * generator("noise").standard_normal(5 * RATE, dtype=np.float32), RATE)
    assert ratio(training, [noise]) > 2
    assert ratio(training, clips(corpus, "test", "bell")) > 1.2


# ---------------------------------------------------------------------------- limits


def test_windows_beyond_the_cap_are_drawn(corpus, monkeypatch) -> None:
    training, tests = clips(corpus, "train", "bow"), clips(corpus, "test", "bow")
    whole = ratio(training, tests)
    monkeypatch.setattr(novelty, "MAX_QUERIES", 40)
    values, details = measured(training, tests)
    assert (details["n"], details["n_real"], details["most_windows"]) == (40, 40, 40)
    assert values == measured(training, tests)[0]
    assert values["nearest_training_ratio"] == pytest.approx(whole, rel=0.3)


def test_blocks_change_nothing(corpus, monkeypatch) -> None:
    training, tests = clips(corpus, "train", "bow"), clips(corpus, "test", "bow")
    whole = ratio(training, tests)
    monkeypatch.setattr(novelty, "_BLOCK", 17)
    assert ratio(training, tests) == pytest.approx(whole, rel=1e-4)


def test_what_cannot_be_measured_says_why(corpus) -> None:
    training, tests = clips(corpus, "train", "bow"), clips(corpus, "test", "bow")
    short = Clip(tests[0].samples[:8000], RATE, track="short")
    silent = Clip(np.zeros(RATE, np.float32), RATE, track="silent")
    broken = Clip(np.full(RATE, np.nan, np.float32), RATE, track="broken")
    for references, estimates, reason in [
        (training[:1], tests, "1 training tracks and 4 estimates"),
        (training, [], "nothing else was given"),
        (training, [short], "0.50 s are shorter than a window"),
        (training, [silent], "it is silent"),
        (training, [broken], "it has NaN"),
        ([training[0], silent], tests, "1 training tracks .* it is silent"),
        ([training[0], training[0]], tests, "copies of one another"),
    ]:
        with pytest.raises(CannotMeasure, match=reason):
            measured(references, estimates)
    _, details = measured(training, [*tests, short, silent])
    assert list(details["skipped"]) == ["estimates/short", "estimates/silent"]
    json.dumps(details)
