"""The data card: rows of the instruments, and the same sound in two splits."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import soundfile

from timbrebench.benchmarks.card import card_of, check_duplicates, instruments_of
from timbrebench.core.errors import BenchError
from timbrebench.core.records import Corpus, Task
from timbrebench.core.sounding import sounds_of
from timbrebench.testing import tiny_corpus

pytestmark = pytest.mark.usefixtures("cache")
INSTRUMENTS = ["bell", "reed"]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return tiny_corpus(tmp_path, seconds=1.0)


def card(corpus: Corpus) -> dict:
    paths = [path for track in corpus.tracks for path in track.stems.values()]
    return card_of(corpus, INSTRUMENTS, *sounds_of(paths))


def stem(corpus: Corpus, track: int, instrument: str = "bell") -> Path:
    return corpus.tracks[track].stems[instrument]


def test_an_instrument_has_a_row(corpus: Corpus) -> None:
    found = card(corpus)
    row = found["stems"]["reed"]
    assert list(found["stems"]) == INSTRUMENTS
    assert row["tracks"] == {"train": 3, "valid": 1, "test": 2}
    assert row["seconds"] == {"train": 3.0, "valid": 1.0, "test": 2.0}
    assert row["peak_db"] == pytest.approx(-6.0, abs=0.1)  # they are written with a peak of 0.5
    assert -30 < row["rms_db"] < row["peak_db"]
    assert not found["duplicates_across_splits"] and not found["unreadable"]
    check_duplicates(found, "tiny")


def test_the_same_sound_in_two_splits_is_an_error(corpus: Corpus) -> None:
    samples, rate = soundfile.read(stem(corpus, 0))
    soundfile.write(stem(corpus, 5).with_suffix(".flac"), samples, rate)  # another file
    stems = {**corpus.tracks[5].stems, "bell": stem(corpus, 5).with_suffix(".flac")}
    test = dataclasses.replace(corpus.tracks[5], stems=stems)
    found = card(dataclasses.replace(corpus, tracks=(*corpus.tracks[:5], test)))
    assert found["duplicates_across_splits"] == ["tune0 bell (train) = tune5 bell (test)"]
    with pytest.raises(BenchError, match=r"tune0 bell.*--allow-duplicates"):
        check_duplicates(found, "tiny")


def test_the_same_sound_within_a_split_is_told_only(corpus: Corpus) -> None:
    shutil.copy(stem(corpus, 0), stem(corpus, 1, "reed"))
    found = card(corpus)
    assert found["duplicates_within_a_split"] == ["tune0 bell (train) = tune1 reed (train)"]
    check_duplicates(found, "tiny")


def test_silence_is_no_duplicate(corpus: Corpus) -> None:
    for number in (0, 5):
        soundfile.write(stem(corpus, number), [0.0] * 16000, 16000)
    found = card(corpus)
    assert not found["duplicates_across_splits"] and found["stems"]["bell"]["silent_share"] >= 0.33


def test_what_cannot_be_read_is_told(corpus: Corpus) -> None:
    stem(corpus, 2).write_text("no audio")
    assert list(card(corpus)["unreadable"]) == ["tune2 bell"]


def test_instruments_are_those_of_tasks_and_their_parts() -> None:
    mixed = Task("transfer", "a+b", "c+d", (Task("transfer", "a", "c"), Task("transfer", "b", "d")))
    assert instruments_of([mixed, Task("generate", "e")]) == ["a", "a+b", "b", "c", "c+d", "d", "e"]
