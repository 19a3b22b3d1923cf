"""Open sampling options are chosen on validation tracks, and only there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from timbrebench.benchmarks.choosing import CONTENT, TIMBRE, choose
from timbrebench.benchmarks.making import RATE, Maker
from timbrebench.benchmarks.references import References
from timbrebench.core.interfaces import Method
from timbrebench.core.records import Clip, Corpus, Task
from timbrebench.testing import tiny_corpus

TASK = Task("transfer", "bell", "bow")
CANDIDATES = ("the source", "a wrong track", "half", "the target")


@dataclass(frozen=True)
class Options:
    answer: str | None = None


class Knowing(Method):
    """Answers with what its option names; it keeps which tracks it was asked about."""

    def transfer(
        self,
        clips: Sequence[Clip],
        task: Task,
        styles: Sequence[Sequence[Clip]],
        rngs: Sequence[np.random.Generator],
    ) -> list[Clip]:
        return [self._answer(clip, task) for clip in clips]

    def _answer(self, clip: Clip, task: Task) -> Clip:
        assert self.corpus is not None
        self.asked = {*getattr(self, "asked", ()), clip.track}
        target = self.corpus.load(clip.track, task.target, RATE).samples
        if self.options.answer == "the source":
            return clip
        if self.options.answer == "too much":
            bytearray(2**62)
        if self.options.answer == "nothing":
            raise ValueError("no idea")
        if self.options.answer == "half":
            return replace(clip, samples=(clip.samples + target) / 2)
        if self.options.answer == "a wrong track":
            return self.corpus.load("tune0", task.target, RATE)
        return replace(clip, samples=target)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    split = {"train": 3, "valid": 2, "test": 2}
    return tiny_corpus(tmp_path_factory.mktemp("tiny"), split=split, seconds=3.0)


def session_of(corpus: Corpus, method: Method) -> Any:
    def use(values: dict[str, Any]) -> None:
        method.options = replace(method.options, **values)

    return SimpleNamespace(
        method=method,
        corpus=corpus,
        references=References(corpus),
        seed=0,
        cell={"vocoder": {"name": ""}, "references": "r"},
        to_choose={"answer": CANDIDATES},
        use=use,
    )


def test_the_target_wins_and_the_errors_are_as_stated(corpus: Corpus) -> None:
    method = Knowing(Options())
    method.corpus = corpus
    session = session_of(corpus, method)
    found = choose(session, Maker(session), TASK, lambda event: None)
    rows = {row["answer"]: row for row in found["tried"]}
    assert found["values"] == {"answer": "the target"} and list(rows) == list(CANDIDATES)
    assert rows["the target"][CONTENT] == 0
    assert rows["the source"]["sum"] == pytest.approx(1 + rows["the source"][CONTENT])
    copied = rows["the source"][TIMBRE]
    for row in rows.values():
        assert row["sum"] == pytest.approx(row[TIMBRE] / copied + row[CONTENT])
    assert rows["a wrong track"][CONTENT] > rows["the source"][CONTENT]
    assert method.asked == set(found["tracks"]) == {"tune3", "tune4"}  # the validation tracks


def test_without_validation_tracks_the_middle_is_taken_and_said(corpus: Corpus) -> None:
    method = Knowing(Options())
    tracks = tuple(t for t in corpus.tracks if t.split != "valid")
    session = session_of(replace(corpus, tracks=tracks), method)
    found = choose(session, Maker(session), TASK, lambda event: None)
    assert found["values"] == {"answer": "half"}
    assert "no validation track" in found["rule"] and not found["tried"]


def test_a_candidate_that_fails_is_passed_over_and_told(corpus: Corpus) -> None:
    method = Knowing(Options())
    method.corpus = corpus
    session = session_of(corpus, method)
    session.to_choose = {"answer": ("nothing", "half")}
    found = choose(session, Maker(session), TASK, lambda event: None)
    assert found["values"] == {"answer": "half"}
    assert found["tried"][0] == {"answer": "nothing", "reason": "ValueError: no idea"}
    session.to_choose = {"answer": ("nothing", "nothing")}
    found = choose(session, Maker(session), TASK, lambda event: None)
    assert found["values"] == {"answer": "nothing"} and "could be judged" in found["rule"]


def test_a_lack_of_memory_is_no_judgement(corpus: Corpus) -> None:
    """It ends the attempt, which is made again with fewer slices at once; nothing is chosen."""
    method = Knowing(Options())
    method.corpus = corpus
    session = session_of(corpus, method)
    session.to_choose = {"answer": ("too much", "the target")}
    with pytest.raises(MemoryError):
        choose(session, Maker(session), TASK, lambda event: None)
