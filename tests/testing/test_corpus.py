"""The tiny corpus is what its docstring says."""

import numpy as np
import pytest

from timbrebench.testing import tiny_corpus


def test_it_is_paired_and_split(tmp_path):
    corpus = tiny_corpus(tmp_path, seconds=1.0)
    assert corpus.instruments == ("bell", "bow", "reed")
    assert [t.split for t in corpus.tracks] == ["train"] * 3 + ["valid"] + ["test"] * 2
    clip = corpus.load("tune0", "bow", 16000)
    assert clip.seconds == 1.0
    assert np.abs(clip.samples).max() == pytest.approx(0.5, abs=1e-3)


def test_it_is_the_same_each_time(tmp_path):
    one, other = (tiny_corpus(tmp_path / name, seconds=1.0) for name in "ab")
    assert one.fingerprint == other.fingerprint
    assert tiny_corpus(tmp_path / "c", seconds=1.5).fingerprint != one.fingerprint
    assert tiny_corpus(tmp_path / "d", split={"test": 6}).fingerprint != one.fingerprint


def test_instruments_play_the_same_notes_with_different_envelopes(tmp_path):
    corpus = tiny_corpus(tmp_path, seconds=2.0)
    reed, bell = (corpus.load("tune0", name, 16000).samples for name in ("reed", "bell"))
    spectra = [np.abs(np.fft.rfft(s)) for s in (reed, bell)]
    assert abs(spectra[0].argmax() - spectra[1].argmax()) <= 2  # bins of 0.5 Hz
    sustained = [np.abs(s).mean() / np.abs(s).max() for s in (reed, bell)]
    assert sustained[1] < 0.7 * sustained[0]


def test_it_offers_every_kind_of_task(tmp_path):
    groups = tiny_corpus(tmp_path, seconds=1.0).groups
    assert list(groups) == ["single", "generate", "pair"]
    assert [task.name for task in groups["pair"]] == [
        "pair:reed/bow",
        "pair:reed/bell",
        "pair:bow/bell",
    ]
