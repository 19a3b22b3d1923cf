"""The list of recordings: a CSV from outside, row by row, each taken or refused with a reason."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from timbrebench.core.errors import BenchError
from timbrebench.datasets.youtube.hosts import why_private

COLUMNS = ("instrument", "title", "url")
_LONGEST_CELL = 2000  # characters
_MOST_BYTES = 64 << 20
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


def read_rows(path: Path, most: int, networks: Sequence[str] = ()) -> Iterator[Row | Refusal]:
    """Its rows in order, one at a time. BenchError where it is no such list."""
    if not path.is_file():
        raise BenchError(f"there is no list {path}.", hint="Say -o youtube.csv=FILE.")
    if path.stat().st_size > _MOST_BYTES:
        raise BenchError(f"{path} has over {_MOST_BYTES >> 20} MiB: it is no list of recordings.")
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = csv.reader(_bounded(file))
        places = _places(path, lines)
        taken = 0
        for cells in _each(lines):
            if isinstance(cells, Refusal) or not any(cell.strip() for cell in cells):
                if isinstance(cells, Refusal):
                    yield cells
                continue
            row = _row(lines.line_num, cells, places, networks)
            taken += isinstance(row, Row)
            if taken > most:
                row = Refusal(lines.line_num, f"at most {most} rows are taken (youtube.rows)")
            yield row


def _bounded(file: IO[str]) -> Iterator[str]:
    """Lines, none of which fills the memory; what is beyond a line's limit is a line of its own."""
    while line := file.readline(8 * _LONGEST_CELL):
        yield line.replace("\0", "\ufffd")


def _each(lines: Iterator[list[str]]) -> Iterator[list[str] | Refusal]:
    number = 1
    while True:
        try:
            yield next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            yield Refusal(getattr(lines, "line_num", number), f"it is no row of a CSV ({error})")
        number += 1


def _places(path: Path, lines: Iterator[list[str]]) -> Mapping[str, int]:
    """Column → place, by the first line."""
    try:
        names = [name.strip().lower() for name in next(lines, [])]
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
        return f"its url is none ({error})"
    if parts.scheme.lower() not in ("http", "https"):
        return f"its url is no http(s) address but '{parts.scheme or url[:20]}'"
    if not host or any(c.isspace() or c == "\\" for c in url):
        return "its url has no host"
    if parts.username is not None:
        return "its url holds a user's name"
    return why_private(host, networks)
