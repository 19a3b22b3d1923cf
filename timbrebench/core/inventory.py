"""What was prepared in a folder: each file with its size and SHA-256, and what was refused.

A journal of JSON lines in the dataset's root: a line is added when a file is whole, so that a kill
loses none of what is done. The last line about a thing counts; a torn last line does not.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timbrebench.core.interfaces import Progress


class Inventory:
    """The journal ROOT/NAME.inventory.jsonl."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.path = root, root / f"{name}.inventory.jsonl"

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """Name below the root → {'size', 'sha256', …} of what was made and not found damaged."""
        raise NotImplementedError

    @property
    def refused(self) -> Mapping[str, str]:
        """Thing → why it was not taken."""
        raise NotImplementedError

    def add(self, name: str, **details: Any) -> None:
        """A file that now is whole: its size and hash are taken and written down."""
        raise NotImplementedError

    def refuse(self, name: str, reason: str) -> None:
        raise NotImplementedError

    def holds(self, name: str) -> bool:
        """Whether a file was made and has its size still."""
        raise NotImplementedError

    def verify(self, progress: Progress) -> dict[str, str]:
        """File → what is wrong with it ('it is not there', 'it was changed: …'). What is wrong is
        written down, so that the next ``prepare`` makes it again."""
        raise NotImplementedError
