"""Log-mels of stems: the file's own, of one length, and a bad file by name."""

from pathlib import Path

import numpy as np
import pytest

from timbrebench.core import audio
from timbrebench.core.errors import BadAudio
from timbrebench.core.features import aligned_log_mels, log_mels
from timbrebench.core.mel import log_mel, preset
from timbrebench.core.records import Corpus, Track

SPEC = preset("soundstream")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    rng = np.random.default_rng(0)
    made = []
    for number in range(5):
        stems = {}
        for instrument, extra in (("a", 0), ("b", 330)):
            stems[instrument] = tmp_path / f"{number}{instrument}.wav"
            audio.write(stems[instrument], rng.uniform(-0.5, 0.5, 16000 + extra), 16000)
        made.append(Track(f"t{number}", stems))
    return Corpus("some", tuple(made), {}, "")


def test_log_mels_are_those_of_the_files(corpus: Corpus) -> None:
    shares: list[float] = []
    found = log_mels(corpus, corpus.tracks, "b", SPEC, lambda told, share: shares.append(share))
    assert list(found) == ["t0", "t1", "t2", "t3", "t4"]
    for id, values in found.items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, log_mel(corpus.load(id, "b", 16000).samples, SPEC))
    assert shares == [0.2, 0.4, 0.6, 0.8, 1.0]


def test_stems_of_a_track_are_cut_to_the_shortest(corpus: Corpus) -> None:
    for a, b in aligned_log_mels(corpus, corpus.tracks, ("a", "b"), SPEC).values():
        assert a.shape == b.shape == (128, SPEC.frames_of(16000))


def test_a_bad_file_is_named(corpus: Corpus) -> None:
    corpus.tracks[3].stems["a"].write_text("no audio")
    with pytest.raises(BadAudio, match=r"3a\.wav"):
        log_mels(corpus, corpus.tracks, "a", SPEC)
