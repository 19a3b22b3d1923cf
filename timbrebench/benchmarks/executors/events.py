"""Events of a job on another machine: JSON lines in a file that both machines see.

A file outlives the node that wrote it, needs no port and no library, and is there to be read when
something went wrong. It is made by who reads it, and written anew for each order.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class EventsFile:
    """As its reader has it."""

    def __init__(self, path: Path) -> None:
        self.path, self.read_to = path, 0
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")

    def new(self) -> list[dict[str, Any]]:
        """The events that have come since the last time. A line that two machines wrote into is
        left out: it is of a job that was given up for lost."""
        try:
            with self.path.open("rb") as file:  # anew each time: only then it is up to date
                file.seek(self.read_to)
                whole, newline, _ = file.read().rpartition(b"\n")
        except OSError:
            return []
        self.read_to += len(whole + newline)
        return [event for line in whole.splitlines() if (event := _event(line))]

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def append_event(path: Path, event: Mapping[str, Any]) -> None:
    """As its writer does: closed after each, so that other machines see it. Where it is gone
    nobody listens any more."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
    except FileNotFoundError:
        return
    try:
        os.write(file, json.dumps(dict(event)).encode() + b"\n")
    finally:
        os.close(file)


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
