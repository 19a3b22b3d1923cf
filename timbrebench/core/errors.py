"""Errors whose text a user reads. Each is one line: what failed, where, and the next step."""

import difflib
from collections.abc import Iterable

_SHOWN = 200  # characters of a text from outside, in a message


class BenchError(Exception):
    """A user's mistake or a missing thing. The command line prints it and exits with 2."""

    exit_code = 2

    def __init__(self, what: str, *, hint: str = "") -> None:
        self.what, self.hint = what, hint
        super().__init__(f"{what} {hint}".strip())


class UnknownName(BenchError):
    """A name that nothing registered, with the nearest names that something did."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        names = sorted(set(known))
        near = nearest(name, names)
        if near:
            told = f"Did you mean {' or '.join(near)}?"
        elif names:
            told = f"Known: {', '.join(names[:12])}{', …' if len(names) > 12 else ''}."
        else:
            told = f"There is no {kind.rstrip(':')} at all."
        super().__init__(f"unknown {kind} '{name}'.", hint=f"{told} {hint}".strip())


class MissingData(BenchError):
    """Data that is not where it was looked for, with the command or page that gets it."""


class BadAudio(BenchError):
    """A file that cannot be used as audio, with the reason."""

    def __init__(self, path: object, reason: str) -> None:
        self.path, self.reason = str(path), reason
        super().__init__(f"{path}: {reason}.")


class NotApplicable(Exception):
    """Raised by a plugin for a task that it cannot do by its nature. It is no failure."""


class CannotMeasure(Exception):
    """Raised by a metric for what it cannot measure. It becomes a row with the reason."""


def one_line(error: Exception) -> str:
    """An error as the reason of a row: its kind is told unless its text is meant for users."""
    meant = isinstance(error, BenchError | NotApplicable | CannotMeasure)
    text = str(error) if meant else f"{type(error).__name__}: {error}"
    return text.partition("\n")[0].removesuffix(": ")


def shown(text: str) -> str:
    """A text from outside (a name in an archive, a server's words) as it can be printed and kept as
    JSON: nothing in it moves a cursor, and it is short."""
    plain = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: _SHOWN + 1])
    return plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}…"


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like ``name``, best first, case ignored; none if none is near."""
    lowered = {k.lower(): k for k in known}
    found = difflib.get_close_matches(name.lower(), lowered, n=count, cutoff=0.5)
    found += [k for k in lowered if name and k.startswith(name.lower()) and k not in found]
    return [lowered[k] for k in found[:count]]


class CorpusChanged(BenchError):
    """Files turned out to be damaged, and are no part of the corpus any more: plan anew."""
