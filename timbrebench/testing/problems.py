"""Collects what is wrong, so that an author sees all of it at once."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager


class Problems:
    """Plain sentences about one subject."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.found: list[str] = []

    def expect(self, holds: object, sentence: str) -> bool:
        """Notes the sentence unless it ``holds``; returns whether it does."""
        if not holds and sentence not in self.found:
            self.found.append(sentence)
        return bool(holds)

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Notes whatever the block raises, with the line that raised it, and goes on."""
        try:
            yield
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self.expect(False, f"{what} raised {told} ({where.filename}:{where.lineno})")

    def report(self) -> None:
        """Raises one AssertionError that lists every problem."""
        if self.found:
            lines = [f"{self.subject} has {len(self.found)} problem(s):", *self.found]
            raise AssertionError("\n - ".join(lines))
