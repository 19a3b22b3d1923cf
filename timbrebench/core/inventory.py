"""What was prepared in a folder: each file with its size and SHA-256, and what was refused.

A journal of JSON lines in the dataset's root: a line is added when a file is whole, so that a kill
loses none of what is done. The last line about a thing counts; a torn last line does not.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from timbrebench.core.alone import alone
from timbrebench.core.files import sha256_of
from timbrebench.core.interfaces import Progress

Record = dict[str, Any]


class Inventory:
    """The journal ROOT/NAME.inventory.jsonl. One process writes it at a time (:meth:`locked`)."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.name = root, name
        self.path = root / f"{name}.inventory.jsonl"
        self.files: dict[str, Record] = {}  # name below the root → {'size', 'sha256', …}
        self.damaged: dict[str, str] = {}  # of the files: what verify found wrong with it
        self.refused: dict[str, str] = {}  # thing → why it was not taken
        self.notes: dict[str, Any] = {}  # what the dataset keeps beside
        self._torn = False
        self._read()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """For this process alone, and as the one before left it."""
        with alone(self.root, self.name):
            self._read()
            yield

    def add(self, name: str, **details: Any) -> None:
        """A file that now is whole; its size and hash are taken unless ``details`` has them."""
        known = details if "sha256" in details else details | describe(self.root / name)
        self._append({"file": name, **known})

    def refuse(self, name: str, reason: str) -> None:
        """A thing that is not taken, and will not be the next time."""
        self._append({"refused": name, "reason": reason})

    def note(self, key: str, value: Any) -> None:
        self._append({"note": key, "value": value})

    def holds(self, name: str) -> bool:
        """Whether a file was made, was not found damaged, and has its size still."""
        known = self.files.get(name)
        if known is None or name in self.damaged:
            return False
        path = self.root / name
        return path.is_file() and path.stat().st_size == known["size"]

    def verify(self, progress: Progress) -> dict[str, str]:
        """File → what is wrong with it. That is written down (where it can be), so that the next
        ``prepare`` makes the file again."""
        wrong = {}
        for number, (name, known) in enumerate(sorted(self.files.items())):
            progress(f"verifying {name}", number / len(self.files))
            reason = _wrong_with(self.root / name, known)
            if reason:
                wrong[name] = reason
            if reason != self.damaged.get(name, ""):
                line = {"damaged": name, "reason": reason} if reason else {"file": name, **known}
                with contextlib.suppress(OSError):
                    self._append(line)
        return wrong

    def _append(self, line: Record) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * self._torn + json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._torn = False
        self._take(line)

    def _read(self) -> None:
        for kept in (self.files, self.damaged, self.refused, self.notes):
            kept.clear()
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        self._torn = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            with contextlib.suppress(ValueError):
                read = json.loads(line)
                if isinstance(read, dict):
                    self._take(read)

    def _take(self, line: Mapping[str, Any]) -> None:
        match line:
            case {"file": str(name), "size": int(), "sha256": str(), **details}:
                self.files[name] = {"size": line["size"], "sha256": line["sha256"], **details}
                self.damaged.pop(name, None)
            case {"damaged": str(name), "reason": str(reason)}:
                self.damaged[name] = reason
            case {"refused": str(name), "reason": str(reason)}:
                self.refused[name] = reason
            case {"note": str(key), "value": value}:
                self.notes[key] = value


def describe(path: Path) -> Record:
    """What is written down of a file."""
    return {"size": path.stat().st_size, "sha256": sha256_of(path)}


def _wrong_with(path: Path, known: Mapping[str, Any]) -> str:
    """What is wrong with a file, in words; '' if nothing."""
    if not path.is_file():
        return "it is not there"
    if (size := path.stat().st_size) != known["size"]:
        return f"it has {size} bytes where {known['size']} were written"
    return "" if sha256_of(path) == known["sha256"] else "its content was changed"
