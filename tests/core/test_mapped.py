"""Arrays that are spilled into a file, and stay in memory where it has no room."""

import resource
import sys

import numpy as np
import pytest

from timbrebench.core.mapped import on_disk

ARRAYS = [
    np.arange(n, dtype=kind) for n, kind in ((10, "f4"), (3, "i8"), (0, "f4"), (70_000, "f4"))
]


def test_they_come_back_as_they_were() -> None:
    found = on_disk(array.reshape(-1, 1) for array in ARRAYS)
    for array, back in zip(ARRAYS, found, strict=True):
        assert (back.dtype, back.shape) == (array.dtype, (len(array), 1))
        assert np.array_equal(back[:, 0], array)


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of files is Linux's")
@pytest.mark.parametrize("most", [0, 4, 48, 1000])
def test_what_has_no_room_stays_in_memory(most: int) -> None:
    """Also where a few bytes of it still went into the file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        found = on_disk(iter(ARRAYS))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    for array, back in zip(ARRAYS, found, strict=True):
        assert np.array_equal(back, array)
