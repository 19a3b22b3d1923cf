"""The list of recordings: a CSV from outside, row by row, each taken or refused with a reason."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from timbrebench.core.errors import BenchError, shown
from timbrebench.datasets.youtube.hosts import why_private

COLUMNS = ("instrument", "title", "url")
_LONGEST_CELL = 2000  # characters
_LONGEST_LINE = 8 * _LONGEST_CELL
_MOST_BYTES, _MOST_LINES = 64 << 20, 200_000
_FORMULA = tuple("=+-@\t\r")  # what a spreadsheet would carry out
_RESERVED = ("generate", "pair", "mixed")  # words of a task's name
_INSTRUMENT = re.compile(r"[a-z0-9][a-z0-9_+]{0,47}")
_HINT = "Its first line names the columns: instrument,title,url"


@dataclass(frozen=True)
class Row:
    """A recording to fetch."""

    line: int  # of the file, from 1
    instrument: str
    title: str  # kept as data; no name is made from it
    url: str


@dataclass(frozen=True)
class Refusal:
    """A row that is not taken."""

    line: int
    reason: str


class Refusals:
    """Why rows are not taken, by line: the first of them, and how many more there were."""

    def __init__(self, most: int) -> None:
        self.most, self.more = most, 0
        self.told: dict[int, str] = {}
        self.last = ""  # of those that are only counted

    def add(self, line: int, reason: str) -> None:
        if len(self.told) < self.most:
            self.told[line] = reason
        else:
            self.more, self.last = self.more + 1, f"line {line}: {reason}"

    def then(self, others: "Refusals") -> None:
        """Those of others, after these."""
        for line, reason in others.told.items():
            self.add(line, reason)
        if others.more:
            self.more, self.last = self.more + others.more, others.last

    def __len__(self) -> int:
        return len(self.told) + self.more

    def of(self, name: str) -> dict[str, str]:
        """'LIST, line N' → why, of the list that is called so."""
        told = {f"{name}, line {line}": reason for line, reason in sorted(self.told.items())}
        rest = f"{self.more} more rows were refused, as {self.last}"
        return told | ({name: rest} if self.more else {})


def read_list(path: Path, most: int, networks: Sequence[str], refused: Refusals) -> list[Row]:
    """Its rows, of which there are ``most`` at the most; the others go to ``refused``."""
    rows = []
    for row in read_rows(path, most, networks):
        if isinstance(row, Row):
            rows.append(row)
        else:
            refused.add(row.line, row.reason)
    return rows


def read_rows(path: Path, most: int, networks: Sequence[str] = ()) -> Iterator[Row | Refusal]:
    """Its rows in order, one at a time. BenchError where it is no such list.

    A row is one line, so that a quote that is never closed takes no other row with it.
    """
    if not path.is_file():
        raise BenchError(f"there is no list {path}.", hint="Say -o youtube.csv=FILE.")
    if path.stat().st_size > _MOST_BYTES:
        raise BenchError(f"{path} has over {_MOST_BYTES >> 20} MiB: it is no list of recordings.")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        lines = _lines(file)
        places = _places(path, next(lines, ""))
        taken = 0
        for number, line in enumerate(lines, 2):
            if number > _MOST_LINES:
                yield Refusal(number, f"at most {_MOST_LINES} lines of a list are read")
                return
            row = _read(number, line, places, networks)
            taken += isinstance(row, Row)
            if isinstance(row, Row) and taken > most:
                row = Refusal(number, f"at most {most} rows are taken (youtube.rows)")
            if row:
                yield row


def _lines(file: IO[str]) -> Iterator[str]:
    """Its lines, none of which fills the memory; '' in place of one that is too long."""
    while line := file.readline(_LONGEST_LINE + 1):
        too_long = len(line) > _LONGEST_LINE and not line.endswith("\n")
        while too_long and line and not line.endswith("\n"):
            line = file.readline(_LONGEST_LINE)
        yield "" if too_long else line.replace("\0", "\ufffd")


def _read(
    number: int, line: str, places: Mapping[str, int], networks: Sequence[str]
) -> Row | Refusal | None:
    """What a line says; None where all of it is empty."""
    if not line:
        return Refusal(number, f"it has over {_LONGEST_LINE} characters")
    try:
        cells = _cells(line)
    except csv.Error as error:
        return Refusal(number, f"it is no row of a CSV ({error})")
    if not any(cell.strip() for cell in cells):
        return None
    return _row(number, cells, places, networks)


def _cells(line: str) -> list[str]:
    """Its cells. csv.Error where they do not end with the line."""

    def alone() -> Iterator[str]:
        yield line
        raise csv.Error("a quote is not closed on its line")

    return next(csv.reader(alone()))


def _places(path: Path, line: str) -> Mapping[str, int]:
    """Column → place, by the first line."""
    try:
        names = [name.strip().lower() for name in _cells(line)]
    except csv.Error:
        names = []
    for column in COLUMNS:
        if column not in names:
            raise BenchError(f"{path} has no column '{column}'.", hint=_HINT)
    return {column: names.index(column) for column in COLUMNS}


def _row(
    line: int, cells: Sequence[str], places: Mapping[str, int], networks: Sequence[str]
) -> Row | Refusal:
    if len(cells) <= max(places.values()):
        absent = [c for c in COLUMNS if places[c] >= len(cells)]
        return Refusal(line, f"it has no {' and no '.join(absent)}")
    values = {column: cells[place].strip(" ") for column, place in places.items()}
    for column, value in values.items():
        if reason := _wrong_with_cell(value):
            return Refusal(line, f"its {column} {reason}")
    instrument = values["instrument"].lower().replace(" ", "_")
    reason = _wrong_with_instrument(instrument) or _wrong_with_url(values["url"], networks)
    if reason:
        return Refusal(line, reason)
    return Row(line, instrument, values["title"], values["url"])


def _wrong_with_cell(value: str) -> str:
    if not value:
        return "is empty"
    if value.startswith(_FORMULA):
        return f"begins with {value[0]!r}, as a formula or an option does"
    if len(value) > _LONGEST_CELL:
        return f"has {len(value)} characters; {_LONGEST_CELL} are the most"
    return "" if value.isprintable() else "has characters that cannot be shown"


def _wrong_with_instrument(name: str) -> str:
    if name in _RESERVED:
        return f"'{name}' is a word of task names, no instrument"
    if not _INSTRUMENT.fullmatch(name):
        return "its instrument may have letters, digits, '_' and '+' only, 48 at the most"
    return ""


def _wrong_with_url(url: str, networks: Sequence[str]) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        return f"its url is none ({shown(str(error))})"
    if parts.scheme.lower() not in ("http", "https"):
        return f"its url is no http(s) address but '{shown(parts.scheme or url[:20])}'"
    if not host or any(c.isspace() or c == "\\" for c in url):
        return "its url has no host"
    if parts.username is not None:
        return "its url holds a user's name"
    return why_private(host, networks)
