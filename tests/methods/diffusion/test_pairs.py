import numpy as np
import pytest

from timbrebench.core.errors import BenchError
from timbrebench.core.mel import preset, silence
from timbrebench.core.seeds import generator
from timbrebench.methods.diffusion.pairs import Pairs, load_pairs
from timbrebench.testing.corpus import tiny_corpus

SPEC = preset("soundstream")


def counted(frames, first=0):
    """A log-mel whose every frame holds its own number."""
    return np.tile(np.arange(first, first + frames, dtype=np.float32), (SPEC.n_mels, 1))


def test_crops_are_aligned_and_reach_every_place_alike():
    long, short = counted(138), counted(129, first=1000)
    pairs = Pairs({"train": [(long, -long), (short, -short)]}, SPEC)
    starts = []
    for i in range(2600):
        source, target = pairs.crop(generator(i), "train")
        assert source.shape == target.shape == (SPEC.n_mels, SPEC.frames)
        assert (source == -target).all() and (np.diff(source[0]) == 1).all()
        starts.append(int(source[0, 0]))
    places, counts = np.unique(starts, return_counts=True)
    assert list(places) == [*range(11), 1000, 1001]  # 13 places
    assert counts.min() > 130 and counts.max() < 270  # 200 each


def test_loading_splits_by_track_and_pads_short_ones_with_silence(tmp_path):
    corpus = tiny_corpus(tmp_path, seconds=1.0)
    pairs = load_pairs(corpus, "bell", "bow", SPEC)
    assert {split: len(mels) for split, mels in pairs.mels.items()} == {"train": 3, "valid": 1}
    for source, target in pairs.mels["train"]:
        assert source.shape == target.shape == (SPEC.n_mels, SPEC.frames)
        assert (source[:, SPEC.frames_of(16000) :] == np.float32(silence(SPEC))).all()
    ranges = pairs.ranges()
    assert ranges["source"]["high"] == max(float(s.max()) for s, _ in pairs.mels["train"])
    assert ranges["target"]["high"] == max(float(t.max()) for _, t in pairs.mels["train"])


def test_no_common_track_is_a_plain_error(tmp_path):
    corpus = tiny_corpus(tmp_path, split={"test": 1}, seconds=1.0)
    with pytest.raises(BenchError, match="no training track of tiny has both bell and bow"):
        load_pairs(corpus, "bell", "bow", SPEC)
