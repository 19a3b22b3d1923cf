"""Copies of training tracks: the same for all, shifted as told, and silence stays silent."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from timbrebench.core import audio
from timbrebench.core.augment import Augmentation, augmented, parse
from timbrebench.core.corpora import from_json, to_json
from timbrebench.core.errors import BenchError
from timbrebench.core.features import aligned_log_mels, feature_file
from timbrebench.core.mel import preset, silence
from timbrebench.core.records import Corpus, Track
from timbrebench.testing import tiny_corpus

SPEC = preset("soundstream")
pytestmark = pytest.mark.usefixtures("cache")


@pytest.mark.parametrize(
    "text, meant",
    [
        ("pitch=-2..2", Augmentation((-2, 2))),
        (" gain=-6..6.5 , copies=2", Augmentation(gain_db=(-6.0, 6.5), copies=2)),
        ("copies=9,gain=0..3,pitch=+1..4", Augmentation((1, 4), (0.0, 3.0), 9)),
    ],
)
def test_what_is_meant(text: str, meant: Augmentation) -> None:
    assert parse(text) == meant == parse(str(meant))


@pytest.mark.parametrize(
    "text, told",
    [
        ("pich=-2..2", "Did you mean pitch"),
        ("pitch=-2", "within -12..12"),
        ("pitch=2..-2", "within -12..12"),
        ("pitch=0..13", "within -12..12"),
        ("pitch=-0.5..1", "whole semitones"),
        ("gain=1.2.3..4", "within -40..40"),
        ("gain=-6..6,copies=0", "1 to 64 copies"),
        ("pitch=0..0", "changes nothing"),
        ("gain=-6..6,gain=0..1", "says gain twice"),
        ("", "unknown part"),
    ],
)
def test_what_is_no_augmentation(text: str, told: str) -> None:
    with pytest.raises(BenchError, match=told):
        parse(text)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return tiny_corpus(tmp_path, seconds=1.0)


def test_only_training_tracks_have_copies(corpus: Corpus) -> None:
    found = augmented(corpus, "pitch=-2..2,gain=-6..6,copies=3")
    assert found.tracks[: len(corpus.tracks)] == corpus.tracks
    copies = found.tracks[len(corpus.tracks) :]
    assert [t.id for t in copies] == [f"tune{n}~{k}" for n in (0, 1, 2) for k in (1, 2, 3)]
    assert {t.split for t in copies} == {"train"}
    assert all(-2 <= t.shift <= 2 and -6 <= t.gain_db <= 6 for t in copies)
    assert found.fingerprint != corpus.fingerprint
    assert augmented(corpus, "") is corpus
    assert from_json(to_json(found)) == found


def test_every_shift_comes_once_before_one_comes_again(corpus: Corpus) -> None:
    for track in corpus.tracks:
        shifts = [copy.shift for copy in parse("pitch=-2..2,copies=8").of(track)]
        assert sorted(shifts[:4]) == [-2, -1, 1, 2] and shifts[4:] == shifts[:4]


def test_a_copy_depends_on_its_own_track_only(corpus: Corpus) -> None:
    text = "pitch=-5..5,gain=-6..6"
    every = {t.id: t for t in augmented(corpus, text).tracks}
    fewer = augmented(dataclasses.replace(corpus, tracks=corpus.tracks[1:]), text)
    assert all(every[t.id] == t for t in fewer.tracks)
    assert len({(t.shift, t.gain_db) for t in every.values()}) > 8
    prints = {augmented(corpus, t).fingerprint for t in (text, f"{text},copies=4", "pitch=-5..5")}
    assert len(prints) == 2


def test_a_name_that_is_taken_is_an_error(corpus: Corpus) -> None:
    tracks = (*corpus.tracks, dataclasses.replace(corpus.tracks[0], id="tune1~2"))
    with pytest.raises(BenchError, match="tune1~2"):
        augmented(dataclasses.replace(corpus, tracks=tracks), "pitch=-1..1")


def loudest_hz(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 20))
    return float(spectrum.argmax()) * rate / (1 << 20)


@pytest.mark.parametrize("shift", [-3, 2])
def test_audio_is_shifted_by_semitones_and_keeps_its_length(tmp_path: Path, shift: int) -> None:
    rate, path = 16000, tmp_path / "a.wav"
    audio.write(path, 0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate), rate)
    plain = Track("t", {"a": path})
    copy = dataclasses.replace(plain, id="t~1", shift=shift, gain_db=-6.0)
    corpus = Corpus("some", (plain, copy), {}, "")
    before, after = (corpus.load(id, "a", rate).samples for id in ("t", "t~1"))
    assert len(after) == len(before) and after.dtype == np.float32
    cents = 1200 * np.log2(loudest_hz(after[4000:-4000], rate) / 440)
    assert cents == pytest.approx(100 * shift, abs=5)
    middle = slice(4000, -4000)
    gain = audio.rms_db(after[middle]) - audio.rms_db(before[middle])
    assert gain == pytest.approx(-6, abs=0.5)


def test_gain_moves_a_log_mel_and_leaves_silence_at_its_floor(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    rng = np.random.default_rng(0)
    audio.write(path, np.concatenate([rng.uniform(-0.2, 0.2, 16000), np.zeros(16000)]), 16000)
    plain = Track("t", {"a": path, "b": path})
    copy = dataclasses.replace(plain, id="t~1", gain_db=6.0)
    corpus = Corpus("some", (plain, copy), {}, "")
    found = aligned_log_mels(corpus, corpus.tracks, ("a", "b"), SPEC)
    (before, _), (after, other) = found["t"], found["t~1"]
    np.testing.assert_array_equal(after, other)  # both sides alike
    np.testing.assert_allclose(after[:, :48], before[:, :48] + 6 / 20 * np.log(10), atol=1e-4)
    assert (after[:, -40:] == np.float32(silence(SPEC))).all()


def test_a_copy_is_made_once(corpus: Corpus) -> None:
    found = augmented(corpus, "pitch=-2..2,copies=2")
    for _ in range(2):
        aligned_log_mels(found, found.tracks_of("train"), ("bell", "bow"), SPEC)
        assert len(feature_file(SPEC).read().places) == 3 * (1 + 2) * 2
