"""How far a download is: the process that fetches notes it, the one that waits tells it.

FOLDER/progress    'HELD TOTAL' in bytes, the total 0 where nobody says; or a word
"""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timbrebench.core.interfaces import Progress
from timbrebench.core.meter import Meter

_PAUSE = 0.3  # seconds between two notes
_NOTE = re.compile(r"(\d{1,18}) (\d{1,18})\n")
_DECODING = "decoding\n"


class Noting:
    """The side that fetches."""

    def __init__(self, folder: Path) -> None:
        self.path, self.next = folder / "progress", 0.0

    def came(self, status: Mapping[str, Any]) -> None:
        """What a hook of yt-dlp is told."""
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + _PAUSE
        total = status.get("total_bytes") or status.get("total_bytes_estimate") or 0
        self.path.write_text(f"{status.get('downloaded_bytes') or 0:.0f} {total:.0f}\n")

    def decoding(self) -> None:
        self.path.write_text(_DECODING)


class Telling:
    """The side that waits."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.path, self.progress = folder / "progress", progress
        self.meter: Meter | None = None
        self.path.unlink(missing_ok=True)  # it may be of the time before

    def tell(self) -> None:
        try:
            text = self.path.read_text()
        except (OSError, ValueError):
            return
        if text == _DECODING:
            self.progress(": decoding", 1.0)
        elif found := _NOTE.fullmatch(text):  # else it is half written
            held, total = int(found[1]), int(found[2])
            self.meter = self.meter or Meter("", held, total)
            self.meter.total = total
            self.progress(*self.meter.at(held))
