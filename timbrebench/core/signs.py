"""Signs of life from inside long work, to whoever would otherwise take it for dead."""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

_listener: ContextVar[Callable[[], None]] = ContextVar("signs", default=lambda: None)


@contextlib.contextmanager
def heard(listen: Callable[[], None]) -> Iterator[None]:
    """Within the block, ``listen`` is called at each :func:`alive`."""
    token = _listener.set(listen)
    try:
        yield
    finally:
        _listener.reset(token)


def alive() -> None:
    """Says that work goes on: before or after each piece of it, as often as one likes."""
    _listener.get()()
