"""Log-mels on disk: one file of float32 a kind of log-mel, mapped into memory, and its index.

    mels-N.f32    log-mels one after the other, each frame by frame: a crop is one slice of it
    index.json    what lies where, below its own sum; written whole, after what it names
    .lock         held while anything is added or removed

What is known is found by a key, which is made of the audio's content: nothing ever goes out of
date. Several processes may read and add at once. A file whose size or time is not what the index
says was changed by something else, or by a kill: then every log-mel is held against its sum, and
those that differ are forgotten.
"""

# Shapes: M mel bands, T frames.

import contextlib
import fcntl
import json
import mmap
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from timbrebench.core import files
from timbrebench.core.mapped import map_of

_INDEX = "index.json"
_VALUE = 4  # bytes of a float32
_BLOCK = 1 << 24  # bytes read at once where a whole file is gone through


class Place(NamedTuple):
    """Where a log-mel lies."""

    offset: int  # bytes
    frames: int
    sum: int  # CRC-32 of its bytes
    day: int  # on which it was last asked for, since 1970


@dataclass
class Index:
    """What a file holds. ``mark``: its size and time when this was written."""

    number: int = 0  # of the file
    mark: tuple[int, int] = (0, 0)
    places: dict[str, Place] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)  # content → samples of the audio


@dataclass(frozen=True)
class FeatureFile:
    """The log-mels of one kind, with ``bands`` bands, in ``folder``."""

    folder: Path
    bands: int

    def read(self) -> Index:
        """What is known and whole; nothing where there is no file, or none that can be read."""
        index = self._read()
        if not index.places or index.mark == self._mark(index):
            return index
        try:  # changed, or being added to
            with self._locked():
                return self._checked()
        except OSError:  # it cannot be held, and so not be relied on
            return Index()

    def arrays(self, keys: Iterable[str]) -> dict[str, np.ndarray]:
        """Those of the log-mels that are known: read-only [M, T], mapped and not loaded."""
        keys = set(keys)
        for _ in range(3):  # a file may be replaced between index and mapping
            index = self.read()
            found = {key: index.places[key] for key in keys & index.places.keys()}
            if not found:
                return {}
            with contextlib.suppress(FileNotFoundError), self._path(index).open("rb") as file:
                mapped = map_of(file)
                self._touch(found)
                return {key: self._array(mapped, place) for key, place in found.items()}
        return {}

    def add(self, made: Mapping[str, np.ndarray], lengths: Mapping[str, int]) -> Index:
        """Keeps log-mels [M, T] and how long each content is; what is known stays as it is."""
        with self._locked():
            index = self._checked()
            new = {key: mel for key, mel in made.items() if key not in index.places}
            index.lengths |= lengths
            path, end = self._path(index), self._end(index)
            with path.open("r+b" if path.exists() else "w+b") as file:
                file.seek(end)
                for key, mel in new.items():
                    values = np.ascontiguousarray(mel.T, "<f4")  # [T, M]
                    file.write(values.data)
                    index.places[key] = Place(end, len(values), zlib.crc32(values.data), _today())
                    end += values.nbytes
                file.flush()
                os.fsync(file.fileno())
            self._write(index)
        return index

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Removes the log-mels whose keys are not ``wanted``; who reads them goes on reading."""
        with self._locked():
            old = self._checked()
            new = Index(old.number + 1, lengths=old.lengths)
            with self._path(new).open("wb") as file:
                for key, place in old.places.items():
                    if wanted(key):
                        new.places[key] = place._replace(offset=file.tell())
                        for block in self._blocks(old, place):
                            file.write(block)
                file.flush()
                os.fsync(file.fileno())
            self._write(new)

    def remove(self) -> None:
        """All of it; the lock stays, as others may be waiting for it."""
        with self._locked():
            for path in (self.folder / _INDEX, *self._all()):
                path.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self._all())

    # ------------------------------------------------------------------ its parts

    def _path(self, index: Index) -> Path:
        return self.folder / f"mels-{index.number}.f32"

    def _bytes(self, place: Place) -> int:
        return place.frames * self.bands * _VALUE

    def _end(self, index: Index) -> int:
        return max((p.offset + self._bytes(p) for p in index.places.values()), default=0)

    def _array(self, mapped: mmap.mmap, place: Place) -> np.ndarray:
        values = np.frombuffer(mapped, "<f4", place.frames * self.bands, place.offset)
        return values.reshape(place.frames, self.bands).T

    def _mark(self, index: Index) -> tuple[int, int]:
        try:
            status = self._path(index).stat()
        except OSError:
            return (0, 0)
        return status.st_size, status.st_mtime_ns

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> Index:
        try:
            data = json.loads(_whole((self.folder / _INDEX).read_text(encoding="utf-8")))
            places = {key: Place(*values) for key, values in data["places"].items()}
            return Index(data["number"], tuple(data["mark"]), places, data["lengths"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return Index(number=self._last_number() + 1)  # none, or broken: all is made again

    def _last_number(self) -> int:
        names = [path.stem.rpartition("-")[2] for path in self._all()]
        return max((int(name) for name in names if name.isdigit()), default=0)

    def _all(self) -> list[Path]:
        return list(self.folder.glob("mels-*.f32"))

    def _checked(self) -> Index:
        """The index, with the lock held; log-mels that are not what they were are forgotten."""
        index = self._read()
        if index.mark == self._mark(index):
            return index
        good = {k: p for k, p in index.places.items() if self._sum(index, p) == p.sum}
        index.places = good
        if self._path(index).exists():
            self._write(index)
        return index

    def _sum(self, index: Index, place: Place) -> int:
        total = 0
        try:
            for block in self._blocks(index, place):
                total = zlib.crc32(block, total)
        except OSError:
            return -1
        return total

    def _blocks(self, index: Index, place: Place) -> Iterator[bytes]:
        left = self._bytes(place)
        with self._path(index).open("rb") as file:
            file.seek(place.offset)
            while left and (block := file.read(min(left, _BLOCK))):
                left -= len(block)
                yield block

    def _write(self, index: Index) -> None:
        index.mark = self._mark(index)
        text = json.dumps(asdict(index), separators=(",", ":"))
        files.write_text(self.folder / _INDEX, f"{_sum_of(text)}\n{text}")
        for other in set(self._all()) - {self._path(index)}:
            other.unlink(missing_ok=True)

    def _touch(self, found: Mapping[str, Place]) -> None:
        """Remembers the day; at most one write a day for each log-mel."""
        if all(place.day == _today() for place in found.values()):
            return
        with contextlib.suppress(OSError), self._locked():
            index = self._checked()
            for key in found.keys() & index.places.keys():
                index.places[key] = index.places[key]._replace(day=_today())
            self._write(index)


def _sum_of(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _whole(text: str) -> str:
    """An index without its sum, which is its first line. ValueError where it is another: a wrong
    number in it would be taken for a place of values."""
    told, _, rest = text.partition("\n")
    if told != _sum_of(rest):
        raise ValueError("the index was changed")
    return rest


def _today() -> int:
    return int(time.time() // 86400)
