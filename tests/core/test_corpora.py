import json
from pathlib import Path

from timbrebench.core import corpora
from timbrebench.core.records import Corpus, Task, Track


def test_a_corpus_comes_back_from_json() -> None:
    part = Task("transfer", "a", "b")
    groups = {
        "single": (part, Task("generate", "a")),
        "mixed": (Task("transfer", "a+c", "b", parts=(part, Task("transfer", "c", "b"))),),
    }
    tracks = (
        Track("1", {"a": Path("/x/1.a.wav")}, "train", 2.5),
        Track("2", {"a": Path("é.wav")}, "test", 1.0, Path("2.mid"), {"a": "melody"}),
    )
    corpus = Corpus("c", tracks, groups, "fingerprint", 44100, {"left_out": {"3": "no audio"}})
    assert corpora.from_json(json.loads(json.dumps(corpora.to_json(corpus)))) == corpus
