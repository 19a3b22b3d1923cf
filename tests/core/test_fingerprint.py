"""Fingerprints follow names, contents and split, and nothing else; the cache may break."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from timbrebench.core import fingerprint
from timbrebench.core.fingerprint import content_hashes, seal
from timbrebench.core.records import Track


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sha256.json"


def tracks(root: Path) -> list[Track]:
    root.mkdir()
    for name in ("1a", "1b", "2a"):
        (root / name).write_text(f"content of {name}")
    return [Track("1", {"a": root / "1a", "b": root / "1b"}), Track("2", {"a": root / "2a"})]


def print_of(found: list[Track]) -> str:
    return seal(found)[1]


def test_another_place_is_the_same_corpus(tmp_path: Path) -> None:
    here = tracks(tmp_path / "here")
    there = tracks(tmp_path / "there")
    assert print_of(here) == print_of(there) == print_of(here)


def test_content_name_and_split_each_make_another(tmp_path: Path) -> None:
    one, two = tracks(tmp_path / "x")
    base = print_of([one, two])
    prints = [
        print_of([replace(one, id="3"), two]),
        print_of([replace(one, split="test"), two]),
        print_of([replace(one, stems={"c": one.stems["a"], "b": one.stems["b"]}), two]),
        print_of([one]),
    ]
    one.stems["a"].write_text("another content")
    assert len({base, *prints, print_of([one, two])}) == 6


def test_known_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tracks(tmp_path / "x")[0].stems["a"]
    first = content_hashes([path])
    monkeypatch.setattr(fingerprint, "sha256_of", lambda path: pytest.fail(f"{path} was read"))
    assert content_hashes([path]) == first


def test_files_that_size_and_time_do_not_tell_apart_are_read_again(tmp_path: Path) -> None:
    """As an archive or ``cp -p`` leaves them: written to with the time put back, and swapped."""
    path, other = tracks(tmp_path / "x")[0].stems.values()
    os.utime(other, ns=(1, 1))
    os.utime(path, ns=(1, 1))
    first, second = content_hashes([path, other]).values()
    path.write_text(path.read_text().upper())
    os.utime(path, ns=(1, 1))
    changed = content_hashes([path])[path]
    assert changed not in (first, second)
    path.rename(tmp_path / "aside")
    other.rename(path)
    (tmp_path / "aside").rename(other)
    assert content_hashes([path, other]) == {path: second, other: changed}


@pytest.mark.parametrize("broken", ["{", "[]", '{"%s": 3}', '{"%s": [1, 2]}', "\x00"])
def test_a_broken_cache_only_costs_time(tmp_path: Path, cache: Path, broken: str) -> None:
    path = tracks(tmp_path / "x")[0].stems["a"]
    good = content_hashes([path])
    cache.write_text(broken.replace("%s", str(path)))
    assert content_hashes([path]) == good


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path, cache: Path) -> None:
    path = tracks(tmp_path / "x")[0].stems["a"]
    cache.parent.write_text("a file where the folder should be")
    assert content_hashes([path])


def test_a_training_copy_of_a_test_track_is_left_out(tmp_path: Path) -> None:
    one, two = tracks(tmp_path / "x")
    shutil.copy(one.stems["a"], tmp_path / "copy")
    test = Track("test/1", {"a": tmp_path / "copy"}, split="test")
    kept, _, left_out = seal([one, two, test])
    assert [t.id for t in kept] == ["2", "test/1"]
    assert left_out == {"1": "it has the same files as the test track test/1"}
