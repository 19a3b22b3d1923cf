"""Progress of one piece of work: a bar on a terminal, and lines elsewhere where it may be long."""

import contextlib
import sys
import time
from collections.abc import Iterator

from timbrebench.core.interfaces import Progress

_PAUSE = 30.0  # seconds between two lines


@contextlib.contextmanager
def bar(label: str, *, lines: bool = False) -> Iterator[Progress]:
    """A Progress function that moves a bar on standard error. Where that is no terminal it is
    silent or, with ``lines``, writes one now and then."""
    if not sys.stderr.isatty():
        yield _lines(label) if lines else lambda what, share: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(label, total=1.0)
        yield lambda what, share: bars.update(
            task, completed=share, description=escape(what or label)
        )


def _lines(label: str) -> Progress:
    last = time.monotonic()

    def tell(what: str, share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= _PAUSE:
            last = time.monotonic()
            print(f"{label}: {what} ({share:.0%})", file=sys.stderr, flush=True)

    return tell
