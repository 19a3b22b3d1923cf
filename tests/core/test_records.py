from pathlib import Path

import numpy as np
import pytest

from timbrebench.core.errors import BenchError
from timbrebench.core.records import Clip, Corpus, Task, Track, parse_task

SINGLE = Task("transfer", "clarinet", "strings")
MIXTURE = Task(
    "transfer", "clarinet+vibraphone", "strings+piano",
    parts=(SINGLE, Task("transfer", "vibraphone", "piano")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("task", "name", "folder"),
    [
        (SINGLE, "clarinet:strings", "clarinet-strings"),
        (Task("generate", "piano"), "generate:piano", "generate-piano"),
        (Task("pair", "violin", "guitar"), "pair:violin/guitar", "pair-violin-and-guitar"),
        (
            MIXTURE,
            "mixed:clarinet+vibraphone:strings+piano",
            "mixed-clarinet+vibraphone-strings+piano",
        ),
    ],
)
def test_task_names(task: Task, name: str, folder: str) -> None:
    assert (task.name, task.folder) == (name, folder)
    if not task.parts:
        assert parse_task(name) == task


def test_a_folder_is_one_safe_name() -> None:
    folder = Task("transfer", "../äh/x y", "a|b").folder
    assert "/" not in folder and "|" not in folder and " " not in folder


@pytest.mark.parametrize(
    "text", ["", "clarinet", ":", "a:", ":b", "a:b:c", "pair:a", "pair:a/", "generate:", "mixed:a"]
)
def test_what_is_no_task(text: str) -> None:
    with pytest.raises(BenchError, match="is no task"):
        parse_task(text)


def test_the_ends_of_a_task() -> None:
    assert (SINGLE.source, SINGLE.target) == ("clarinet", "strings")
    assert (Task("generate", "piano").source, Task("generate", "piano").target) == ("", "piano")
    assert SINGLE.direct == (SINGLE,)
    assert MIXTURE.direct == MIXTURE.parts


def track(id: str, split: str, *instruments: str, **fields: object) -> Track:
    return Track(id, {i: Path(f"{id}.{i}.wav") for i in instruments}, split, **fields)  # type: ignore[arg-type]


def test_tracks_of_a_split_that_have_all_the_instruments() -> None:
    tracks = (
        track("1", "train", "clarinet", "strings"),
        track("2", "train", "clarinet"),
        track("3", "test", "clarinet", "strings"),
    )
    corpus = Corpus("c", tracks, {}, "")
    assert [t.id for t in corpus.tracks_of("train", "clarinet")] == ["1", "2"]
    assert [t.id for t in corpus.tracks_of("train", "clarinet", "strings")] == ["1"]
    assert [t.id for t in corpus.tracks_of("test")] == ["3"]
    assert corpus.instruments == ("clarinet", "strings")
    assert corpus.track("3") is tracks[2]


def test_different_parts_of_a_piece_are_no_pair() -> None:
    parts = {"clarinet": "melody", "strings": "melody", "piano": "accompaniment"}
    one = track("1", "train", "clarinet", "strings", "piano", parts=parts)
    assert one.pairs("clarinet", "strings")
    assert not one.pairs("clarinet", "piano")
    assert one.pairs("piano")


def test_seconds_of_a_clip() -> None:
    assert Clip(np.zeros(8000, np.float32), 16000).seconds == 0.5
