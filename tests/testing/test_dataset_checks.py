"""``check_dataset`` passes a good dataset and names the fault of each bad one."""

from dataclasses import replace

import pytest
import soundfile

from timbrebench.core.errors import MissingData
from timbrebench.core.interfaces import Dataset
from timbrebench.core.options import NoOptions
from timbrebench.core.records import Corpus, Task
from timbrebench.testing import check_dataset, tiny_corpus


class Tiny(Dataset):
    """Made by prepare."""

    made: Corpus | None = None

    def missing(self) -> str:
        return "" if self.made else "not made yet"

    def prepare(self, progress) -> None:
        progress("making", 0.5)
        self.made = tiny_corpus(self.root, seconds=1.0)

    def corpus(self) -> Corpus:
        if self.made is None:
            raise MissingData("not made yet.")
        return self.change(self.made)

    def change(self, corpus: Corpus) -> Corpus:
        return corpus


def test_a_good_dataset_passes(tmp_path):
    check_dataset(Tiny(NoOptions(), tmp_path))


def _first(corpus: Corpus, **changes) -> Corpus:
    return replace(corpus, tracks=(replace(corpus.tracks[0], **changes), *corpus.tracks[1:]))


@pytest.mark.parametrize(
    "change, fault",
    [
        (lambda c: replace(c, tracks=()), "no tracks"),
        (lambda c: replace(c, tracks=c.tracks * 2), "share an id"),
        (lambda c: _first(c, split="dev"), "in no split"),
        (lambda c: _first(c, seconds=9.0), r"says 9\.00 s and has 1\.00 s"),
        (lambda c: _first(c, stems={"a:b": c.tracks[0].stems["bow"]}), "cannot be written"),
        (lambda c: _first(c, parts={"oboe": "solo"}), "has parts for {'oboe'}, but no stems"),
        (lambda c: replace(c, rate=44100), "16000 Hz where the corpus says 44100"),
        (lambda c: replace(c, groups={}), "no tasks"),
        (lambda c: replace(c, groups={"x": (Task("transfer", "reed", "oboe"),)}), "oboe"),
        (lambda c: replace(c, fingerprint=""), "no fingerprint"),
        (lambda c: replace(c, notes={"path": {1}}), "notes as JSON"),
    ],
)
def test_a_faulty_corpus_is_named(tmp_path, monkeypatch, change, fault):
    monkeypatch.setattr(Tiny, "change", lambda self, corpus: change(corpus))
    with pytest.raises(AssertionError, match=fault):
        check_dataset(Tiny(NoOptions(), tmp_path))


def test_audio_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def damage(self, corpus):
        corpus.tracks[0].stems["bow"].write_bytes(b"no audio")
        return corpus

    monkeypatch.setattr(Tiny, "change", damage)
    with pytest.raises(AssertionError, match="reading 'tune0' by bow raised BadAudio"):
        check_dataset(Tiny(NoOptions(), tmp_path))


def test_recordings_of_different_length_are_named(tmp_path, monkeypatch):
    def shorten(self, corpus):
        path = corpus.tracks[0].stems["bow"]
        soundfile.write(path, soundfile.read(path)[0][:8000], 16000)
        return corpus

    monkeypatch.setattr(Tiny, "change", shorten)
    with pytest.raises(AssertionError, match="differ in length"):
        check_dataset(Tiny(NoOptions(), tmp_path))


def test_a_dataset_that_stays_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Tiny, "missing", lambda self: "get it from the shelf")
    with pytest.raises(AssertionError, match="after prepare it misses: get it from the shelf"):
        check_dataset(Tiny(NoOptions(), tmp_path))
