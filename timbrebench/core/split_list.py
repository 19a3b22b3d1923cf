"""The splits of a folder's tracks as a list beside them: a layout of plain files has no other place
for a split that no hash of names gives. Light.

ROOT/splits.csv    name,split    a row a track, by the name of its files without their ending
"""

import csv
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from timbrebench.core.errors import BenchError, shown
from timbrebench.core.records import SPLITS

SPLIT_LIST = "splits.csv"
_FIELDS = ["name", "split"]
_HINT = "Mend it, or rename it so that hashes of names split."


def read_splits(root: Path) -> dict[str, str]:
    """Name → split, {} where there is no list. BenchError where it cannot be believed: a row that
    was passed over would put a test track into training."""
    path = root / SPLIT_LIST
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise BenchError(f"{path} cannot be read ({error}).", hint=_HINT) from None
    if not rows or rows[0] != _FIELDS:
        raise BenchError(f"{path}: its first line must be {','.join(_FIELDS)}.", hint=_HINT)
    splits: dict[str, str] = {}
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if reason := _wrong_with(row, splits):
            raise BenchError(f"{path}, row {number}: {reason}.", hint=_HINT)
        splits[_one_form(row[0])] = row[1]
    return splits


def write_splits(root: Path, splits: Mapping[str, str]) -> None:
    """The list of name → split."""
    with (root / SPLIT_LIST).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([_FIELDS, *sorted(splits.items())])


def _wrong_with(row: list[str], before: Mapping[str, str]) -> str:
    """'' if a row can be taken."""
    if len(row) != len(_FIELDS):
        return f"it has {len(row)} cells, not {len(_FIELDS)}"
    if row[1] not in SPLITS:
        return f"'{shown(row[1])}' is no split, which is {', '.join(SPLITS[:-1])} or {SPLITS[-1]}"
    other = before.get(_one_form(row[0]), row[1])
    return "" if other == row[1] else f"'{shown(row[0])}' is in {other} already"


def _one_form(name: str) -> str:
    """The same 'é' may be one character or two: systems differ."""
    return unicodedata.normalize("NFC", name)
