"""One process at a time prepares a dataset in a folder."""

import contextlib
import errno
import fcntl
from collections.abc import Iterator
from pathlib import Path

from timbrebench.core.errors import BenchError

_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """Inside the block this process alone prepares ``name`` in the folder; BenchError where another
    one does. The lock goes with its process, however that ends. A folder that cannot be written
    needs none: nobody prepares anything there."""
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((folder / f".{name}.lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchError(
                f"{folder}: another process is preparing {name} there.",
                hint="Wait for it, or stop it.",
            ) from None
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
        yield
