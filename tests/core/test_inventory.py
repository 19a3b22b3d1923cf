"""The journal of what was prepared: kept through kills, and held against what is on disk."""

import json
import multiprocessing
from pathlib import Path

import pytest

from timbrebench.core.errors import BenchError
from timbrebench.core.inventory import Inventory


def silent(what: str, share: float) -> None:
    assert 0 <= share <= 1


@pytest.fixture
def filled(tmp_path: Path) -> Inventory:
    inventory = Inventory(tmp_path, "some")
    for name in ("a/1.wav", "a/2.wav", "b.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode() * 10)
        inventory.add(name, seconds=1.5)
    inventory.refuse("evil", "it is a link")
    inventory.note("archive", ["a", "b"])
    return inventory


def test_it_is_read_as_it_was_written(filled: Inventory) -> None:
    again = Inventory(filled.root, "some")
    assert again.files == filled.files and again.files["b.wav"]["seconds"] == 1.5
    assert again.refused == {"evil": "it is a link"} and again.notes == {"archive": ["a", "b"]}
    assert all(again.holds(name) for name in again.files) and not again.holds("c.wav")
    assert again.verify(silent) == {}
    assert Inventory(filled.root, "other").files == {}


def test_what_is_wrong_is_named_and_remembered(filled: Inventory) -> None:
    root = filled.root
    (root / "a/1.wav").unlink()
    (root / "a/2.wav").write_bytes(b"short")
    content = bytearray((root / "b.wav").read_bytes())
    content[3] ^= 1
    (root / "b.wav").write_bytes(content)
    assert filled.holds("b.wav")  # its size says nothing
    wrong = {
        "a/1.wav": "it is not there",
        "a/2.wav": "it has 5 bytes where 70 were written",
        "b.wav": "its content was changed",
    }
    assert filled.verify(silent) == wrong
    again = Inventory(root, "some")
    assert not any(again.holds(name) for name in wrong)
    assert again.verify(silent) == wrong
    lines = filled.path.read_text()
    again.verify(silent)
    assert filled.path.read_text() == lines  # nothing new, nothing written
    (root / "a/1.wav").write_bytes(b"made anew")
    again.add("a/1.wav")
    content[3] ^= 1
    (root / "b.wav").write_bytes(content)  # put back by hand
    assert list(again.verify(silent)) == ["a/2.wav"]
    assert Inventory(root, "some").holds("b.wav")


def test_a_torn_line_costs_that_line_alone(filled: Inventory) -> None:
    text = filled.path.read_text()
    for length in range(1, len(text), 7):
        filled.path.write_text(text[:length])
        torn = Inventory(filled.root, "some")
        whole = text[:length].count("\n")
        told = [*torn.files, *torn.refused, *torn.notes]
        assert whole <= len(told) <= whole + 1
        torn.note("later", 1)
        assert Inventory(filled.root, "some").notes["later"] == 1


@pytest.mark.parametrize(
    "line", ["[]", "3", "{}", '{"file": 3}', '{"file": "x"}', '{"file": "x", "size": "1"}', "\xff"]
)
def test_strange_lines_are_nothing(filled: Inventory, line: str) -> None:
    with filled.path.open("a") as file:
        file.write(line + "\n" + json.dumps({"note": "n", "value": 1}) + "\n")
    again = Inventory(filled.root, "some")
    assert again.files == filled.files and again.notes["n"] == 1


def _hold(root: Path, begun: "multiprocessing.synchronize.Event", end: object) -> None:
    with Inventory(root, "some").locked():
        begun.set()
        end.wait(20)  # type: ignore[attr-defined]


def test_two_processes_do_not_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    begun, end = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path, begun, end))
    process.start()
    try:
        assert begun.wait(10)
        with pytest.raises(BenchError, match="another process is preparing some"):
            Inventory(tmp_path, "some").locked().__enter__()
        with Inventory(tmp_path, "other").locked():
            pass
    finally:
        end.set()
        process.join()
    with Inventory(tmp_path, "some").locked():
        pass


def test_a_folder_that_cannot_be_written_is_verified(filled: Inventory) -> None:
    (filled.root / "b.wav").unlink()
    filled.path.unlink()
    filled.path.mkdir()  # nobody, root included, can write a line there
    assert filled.verify(silent) == {"b.wav": "it is not there"}
