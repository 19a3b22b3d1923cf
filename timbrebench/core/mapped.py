"""Arrays in files that are mapped into memory: read where they are used, and never loaded whole."""

import contextlib
import io
import itertools
import mmap
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, NamedTuple
from weakref import WeakSet

import numpy as np

from timbrebench.core.files import cache_root

_maps: "WeakSet[mmap.mmap]" = WeakSet()


def map_of(file: IO[bytes]) -> mmap.mmap:
    """An open file as read-only bytes, of which :func:`release_pages` knows."""
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    _maps.add(mapped)
    return mapped


def release_pages() -> None:
    """What was read of mapped files no longer counts as memory of this process. Where it is needed
    again it is read again, mostly from the system's own cache."""
    if hasattr(mmap, "MADV_DONTNEED"):
        for mapped in list(_maps):
            mapped.madvise(mmap.MADV_DONTNEED)


class _Kept(NamedTuple):
    """An array in a file."""

    offset: int  # bytes
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def of(self, mapped: mmap.mmap) -> np.ndarray:
        count = int(np.prod(self.shape))
        return np.frombuffer(mapped, self.dtype, count, self.offset).reshape(self.shape)


def on_disk(arrays: Iterable[np.ndarray]) -> list[np.ndarray]:
    """The arrays, read-only, in a file that goes when they do. They are taken one by one, so that
    never more than one is in memory. What cannot be written stays there."""
    places, mapped = _spilled(arrays)
    return [_found(place, mapped) for place in places]


def joined_on_disk(parts: Iterable[np.ndarray]) -> np.ndarray:
    """As :func:`on_disk`, of one or more parts that are joined along their first axis."""
    places, mapped = _spilled(parts)
    inside = [place for place in places if isinstance(place, _Kept)]
    if len(inside) < len(places) or not _follow(inside):
        return np.concatenate([_found(place, mapped) for place in places])
    length = sum(place.shape[0] for place in inside)
    return _found(inside[0]._replace(shape=(length, *inside[0].shape[1:])), mapped)


Place = np.ndarray | _Kept


def _spilled(arrays: Iterable[np.ndarray]) -> tuple[list[Place], mmap.mmap | None]:
    places: list[Place] = []
    with tempfile.TemporaryFile(dir=_folder(), buffering=0) as file:
        for array in arrays:
            places.append(_written(file, array) or array)
        return places, map_of(file) if file.seek(0, os.SEEK_END) else None


def _found(place: Place, mapped: mmap.mmap | None) -> np.ndarray:
    return place.of(mapped) if isinstance(place, _Kept) and mapped else np.asarray(place)


def _follow(places: Sequence[_Kept]) -> bool:
    """Whether each begins where the one before ends."""
    return all(a.offset + a.size == b.offset for a, b in itertools.pairwise(places))


def _written(file: io.FileIO, array: np.ndarray) -> _Kept | None:
    values = np.ascontiguousarray(array)
    if not values.size:
        return None
    offset = -(-file.seek(0, os.SEEK_END) // 8) * 8  # of whole numbers, whatever came before
    left = values.reshape(-1).view(np.uint8).data
    try:
        file.seek(offset)
        while left:
            left = left[file.write(left) :]
    except OSError:  # what has room may still come after it
        file.truncate(offset)
        return None
    return _Kept(offset, values.shape, values.dtype)


def _folder() -> Path | None:
    """The cache: what is meant for passing files often lies in memory itself."""
    folder = cache_root()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder if os.access(folder, os.W_OK) else None
