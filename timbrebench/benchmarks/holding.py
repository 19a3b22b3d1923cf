"""A job's folder, held by one worker at a time, and what a killed one left running."""

import contextlib
import fcntl
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

ORDER = "TIMBREBENCH_ORDER"  # in the environment of a worker, and so of all that it starts
_PAUSE = 0.2  # seconds between two tries


@contextlib.contextmanager
def held(folder: Path, order: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds the folder. One that was given up for lost may work there yet, on a machine that was
    cut off: what comes after it waits until it has ended, and goes on from its checkpoint.

    The lock is the process's own (POSIX), so that a child which outlives a killed worker does not
    hold it. What such a worker left running is ended here, before its work is gone on with.
    """
    with (folder / ".lock").open("a+") as lock:
        while not _locked(lock):
            waiting()
            time.sleep(_PAUSE)
        lock.seek(0)
        host, _, before = lock.read().partition(" ")
        if before and host == platform.node():
            end_all_of(before)
        _note(lock, f"{platform.node()} {order}")
        yield
        _note(lock, "")


def end_all_of(order: str) -> None:
    """Kills every process of this machine that was started for an order (Linux; elsewhere none)."""
    mark = f"{ORDER}={order}\0".encode()
    for found in Path("/proc").glob("[0-9]*"):
        if int(found.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # another user's, or just ended
            if mark in (found / "environ").read_bytes():
                os.kill(int(found.name), signal.SIGKILL)


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows both
        return False
    return True


def _note(lock: IO[str], text: str) -> None:
    """What the next one finds, if this one is killed. A full disk costs no more than that."""
    with contextlib.suppress(OSError):
        lock.truncate(0)
        lock.write(text)
        lock.flush()
