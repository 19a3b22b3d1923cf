"""Why there is no recording, in a line that can be printed and kept."""

import errno
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from timbrebench.core.errors import BadAudio, BenchError, one_line, shown
from timbrebench.datasets.youtube.hosts import Forbidden


class Unfit(Exception):
    """A recording that is not taken, with the reason."""


class NoRoom(Exception):
    """The disk lacks room for a recording: nothing that the recording could help."""


def told(error: Exception, refused: Sequence[str], job: Mapping[str, Any]) -> dict[str, Any]:
    """Why there is no recording: of itself, for good or this time; or since nothing can be kept."""
    if isinstance(error, NoRoom):
        return {"stop": str(error)}
    if _is_full(error):
        full = os.strerror(errno.ENOSPC)
        return {"stop": f"{job['folder']} cannot be written to: {full}. Make room."}
    if refused:
        return {"refused": refused[0], "final": True}
    final = isinstance(_cause(error), Unfit | Forbidden | BadAudio)
    return {"refused": shown(_reason(error)), "final": final}


def _is_full(error: BaseException | None) -> bool:
    """Whether a full disk is behind it; never by its words, which may be a site's."""
    while error is not None:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return True
        error = error.__cause__ or error.__context__
    return False


def _cause(error: Exception) -> Exception:
    """Our own error, where yt-dlp has wrapped it up."""
    inner = (getattr(error, "exc_info", None) or (None, None))[1]
    return inner if isinstance(inner, Unfit | Forbidden) else error


def _reason(error: Exception) -> str:
    """One line without yt-dlp's own advice."""
    error = _cause(error)
    if isinstance(error, Unfit | Forbidden):
        return str(error)
    if isinstance(error, BenchError):
        return getattr(error, "reason", None) or one_line(error)
    text = re.sub(r"^ERROR: (\[[^\]]*\] )?([^:\s]+: )?", "", str(error)).partition("\n")[0]
    text = re.split(r" \(caused by|; please report|\. See {2}|\. Use --|  \(", text)[0]
    return f"it cannot be fetched ({text or type(error).__name__})"
