"""How fast bytes come, and how long the rest will take, in words for a progress bar."""

import time
from collections import deque

from timbrebench.core.units import bytes_text

_WINDOW = 10.0  # seconds that the speed is taken over


class Meter:
    """Of one thing of ``total`` bytes (None: not known), of which ``held`` are there already."""

    def __init__(self, label: str, held: int, total: int | None) -> None:
        self.label, self.total = label, total
        self.marks = deque([(time.monotonic(), held)])

    def at(self, held: int) -> tuple[str, float]:
        """(words, share done in 0..1) now that ``held`` bytes are there."""
        now = time.monotonic()
        self.marks.append((now, held))
        while len(self.marks) > 2 and self.marks[1][0] < now - _WINDOW:
            self.marks.popleft()
        since, before = self.marks[0]
        spent = now - since
        speed = (held - before) / spent if spent > 0 else 0.0
        if not self.total:
            return f"{self.label}: {bytes_text(held)}, {bytes_text(speed)}/s", 0.0
        words = f"{bytes_text(held)} of {bytes_text(self.total)}, {bytes_text(speed)}/s"
        left = f", {seconds_text((self.total - held) / speed)} left" if speed else ""
        return f"{self.label}: {words}{left}", min(1.0, held / self.total)


def seconds_text(seconds: float) -> str:
    """'42 s', '7 min', '3.5 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
