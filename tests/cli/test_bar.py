"""Progress on a terminal and elsewhere."""

import io
import sys

import pytest

from timbrebench.cli.bar import bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("what", ["[/x] busy [/y]", "[bold]loud[/bold]", "", "a [1 of 2]"])
def test_what_it_tells_is_no_markup(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's words stand there, and may be anything."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    with bar("fetch") as progress:
        progress(what, 0.5)
    assert (what or "fetch") in terminal.getvalue()
