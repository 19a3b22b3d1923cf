"""The tables of a SoundFont 2 file as sf2utils reads them, checked: what one says of another lies
within it. Whatever else is wrong with a file is one line that names it, too."""

import contextlib
import logging
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from sf2utils.sf2parse import Sf2File

from timbrebench.core.errors import BenchError, MissingData, shown

Generators = dict[int, int]  # operator → amount, as the file has it (unsigned 16 bits)

# Whose rows own rows of which table, from the number in a field on to that of the next row; and
# how many rows the last one leaves at least.
_OWNED = (
    ("Phdr", "bag", "Pbag", 1),
    ("Pbag", "gen", "Pgen", 0),
    ("Inst", "bag", "Ibag", 1),
    ("Ibag", "gen", "Igen", 0),
)


class Tables:
    """Rows by table, and all samples [n] float32."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._read()
        except FileNotFoundError:
            raise MissingData(f"there is no SoundFont {path}.") from None
        except BenchError:
            raise
        except Exception as error:  # a parser of untrusted bytes may raise anything
            raise self.fault(f"{type(error).__name__} {error}".strip()) from None

    def fault(self, reason: str) -> BenchError:
        """The error that says what is wrong with the file."""
        told = shown(reason.partition("\n")[0])
        return BenchError(f"{self.path} cannot be read as a SoundFont 2 file ({told}).")

    def _read(self) -> None:
        with self.path.open("rb") as file, _unlogged():
            raw = Sf2File(file).raw
            self.rows: dict[str, Sequence[Any]] = raw.pdta
            self.wave = _samples(file, raw.smpl_offset)
        for owner, field, owned, least in _OWNED:
            first = [getattr(row, field) for row in self._table(owner)]
            if first != sorted(first) or first[-1] > len(self._table(owned)) - least:
                raise self.fault(f"its table {owner.lower()} leads out of {owned.lower()}")
        self._table("Shdr")

    def _table(self, name: str) -> Sequence[Any]:
        if not self.rows.get(name):
            raise self.fault(f"it has no table {name.lower()}")
        return self.rows[name]

    def row(self, name: str, index: int) -> Any:
        """A row of a table whose last one only ends it."""
        if index >= len(self.rows[name]) - 1:
            raise self.fault(f"its table {name.lower()} has no row {index}")
        return self.rows[name][index]

    def merged(
        self, owners: str, bags: str, gens: str, index: int, terminal: int
    ) -> list[Generators]:
        """The generators of an owner's zones, with those of its global zone below them."""
        first, last = self.row(owners, index).bag, self.rows[owners][index + 1].bag
        found: list[Generators] = []
        shared: Generators = {}
        for bag in range(first, last):
            start, stop = (self.rows[bags][i].gen for i in (bag, bag + 1))
            own = {g.oper: g.amount for g in self.rows[gens][start:stop]}
            if terminal in own:
                found.append(shared | own)
            elif bag == first:
                shared = own
        return found


def _samples(file: BinaryIO, offset: int) -> np.ndarray:
    """What the chunk at ``offset`` holds, however much it claims."""
    file.seek(offset - 4)
    (claimed,) = struct.unpack("<I", file.read(4))
    there = file.seek(0, 2) - offset
    file.seek(offset)
    return np.frombuffer(file.read(min(claimed, there) // 2 * 2), "<i2").astype(np.float32) / 32768


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """sf2utils logs on the root logger, which would print and install a handler there."""
    silent, level = logging.NullHandler(), logging.root.manager.disable
    logging.root.addHandler(silent)
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(level)
        logging.root.removeHandler(silent)
