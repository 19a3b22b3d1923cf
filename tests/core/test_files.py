import json
import os
from pathlib import Path

import pytest

from timbrebench.core import files


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    with files.atomic_path(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.suffix == ".txt"  # libraries go by it
    assert path.read_text() == "half"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), files.atomic_path(path) as temporary:
        temporary.write_text("new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_error_whatever_a_library_calls_it(tmp_path: Path) -> None:
    class TheirError(Exception):
        pass

    said = "while serialising: No space left on device (os error 28)"
    with pytest.raises(OSError) as caught, files.atomic_path(tmp_path / "a.txt"):
        raise TheirError(said)
    assert (caught.value.errno, caught.value.filename) == (28, str(tmp_path / "a.txt"))
    with pytest.raises(TheirError, match="another"), files.atomic_path(tmp_path / "a.txt"):
        raise TheirError("another")
    assert not list(tmp_path.iterdir())


def test_what_is_half_written_goes_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.txt", ".part-a", "below/.part-b.txt", "below/b.txt"):
        files.write_text(tmp_path / name, "")
    files.remove_parts(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*.txt")) == ["a.txt", "b.txt"]
    assert not list(tmp_path.rglob(".part-*"))


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    if (child := os.fork()) == 0:
        with files.atomic_path(path) as temporary:
            temporary.write_text("new")
            os._exit(1)  # as a SIGKILL: nothing is cleaned up
    os.waitpid(child, 0)
    assert path.read_text() == "old"


def test_others_may_read_what_is_written(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a.txt", "")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_json_is_written_as_it_is(tmp_path: Path) -> None:
    value = {"b": [1, 2.5, None, "Für Élise"], "a": {}}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == value
    assert "Für Élise" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_a_digest_is_of_the_value() -> None:
    assert files.digest({"a": 1, "b": [2, 3]}) == files.digest({"b": (2, 3), "a": 1})
    values = [1, "1", 1.5, None, True, [1], {"1": 1}, [[1]], "", [], {}]
    assert len({files.digest(v) for v in values}) == len(values)
    assert len(files.digest(1)) == 16
    assert len(files.digest(1, size=4)) == 8


def test_hashes_of_contents(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256_of(path) == known
    one = files.digest_of_files([path])
    (tmp_path / "b").write_bytes(b"d")
    assert one != files.digest_of_files([path, tmp_path / "b"])
    assert files.digest_of_files([path, tmp_path / "b"]) != files.digest_of_files(
        [tmp_path / "b", path]
    )


def test_the_cache_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path))
    assert files.cache_root() == tmp_path
    monkeypatch.delenv("TIMBREBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files.cache_root() == tmp_path / "timbrebench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.cache_root() == tmp_path / ".cache" / "timbrebench"


def test_damaged_json_is_an_error_of_values(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"a": \xff')
    with pytest.raises(ValueError):
        files.read_json(tmp_path / "a.json")
    assert issubclass(json.JSONDecodeError, ValueError)
