"""A progress bar for one piece of work: on a terminal only."""

import contextlib
import sys
from collections.abc import Iterator

from timbrebench.core.interfaces import Progress


@contextlib.contextmanager
def bar(label: str) -> Iterator[Progress]:
    """A Progress function that moves a bar on standard error; silent where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda what, share: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(label, total=1.0)
        yield lambda what, share: bars.update(task, completed=share, description=what or label)
