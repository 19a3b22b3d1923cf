"""The rows of a list, one after the other: each gives a recording, or a reason why not."""

from collections.abc import Sequence
from typing import Any

from timbrebench.core.interfaces import Progress
from timbrebench.datasets.youtube.keeping import Keeper, NotKept
from timbrebench.datasets.youtube.rows import Refusals, Row

SHORTEST = 3.0  # seconds of a recording


def take_all(
    rows: Sequence[Row], keeper: Keeper, refused: Refusals, progress: Progress
) -> dict[str, dict[str, Any]]:
    """Name → what there is to say of a recording, of each that could be had."""
    taken: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows):
        if reason := _take(row, keeper, taken, _part(progress, number, len(rows))):
            refused.add(row.line, reason)
    return taken


def _part(progress: Progress, number: int, total: int) -> Progress:
    """Tells how far one recording is as a share of all."""

    def tell(what: str, share: float) -> None:
        progress(f"fetching {number + 1} of {total}{what}", (number + share) / total)

    tell("", 0.0)
    return tell


def _take(row: Row, keeper: Keeper, taken: dict[str, dict[str, Any]], progress: Progress) -> str:
    """Adds a row's recording to what is taken; or says why not."""
    try:
        kept = keeper.keep(row.url, progress)
    except NotKept as reason:
        return str(reason)
    name = str(kept["name"])
    if name in taken:
        return f"it is the recording of line {taken[name]['line']}"
    if kept["seconds"] < SHORTEST:
        return f"only {kept['seconds']:.2f} s of it are heard; {SHORTEST:g} are the least"
    given = {"line": row.line, "instrument": row.instrument, "title": row.title, "url": row.url}
    taken[name] = {**kept, **given}
    return ""
