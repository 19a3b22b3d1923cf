"""Memory and times of the phases of a job."""

import contextlib
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timbrebench.core.errors import BenchError

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak() -> bool:
    """Starts a new measurement of this process's peak memory; False where that cannot be."""
    try:
        CLEAR.write_text("5")
    except OSError:
        return False
    return True


def peak_rss() -> int | None:
    """Highest resident memory since :func:`reset_peak`, in bytes (Linux; elsewhere None).

    ``ru_maxrss`` would not do: it inherits the parent's peak.
    """
    return _status("VmHWM")


def _status(name: str) -> int | None:
    try:
        text = STATUS.read_text()
    except OSError:
        return None
    line = next((line for line in text.splitlines() if line.startswith(f"{name}:")), "")
    return int(line.split()[1]) * 1024 if line else None


def own_data() -> int | None:
    """Writable memory that this process has for itself, in bytes: what a limit on its data counts
    (Linux; elsewhere None)."""
    return _status("VmData")


def _cuda() -> Any:
    """torch.cuda where this process computes on it, else None. Only asked, never started: that
    takes hundreds of megabytes, and its counters would read a silent 0."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def _cuda_peaks() -> tuple[int | None, int | None]:
    """(allocated, reserved) of the current device; None without CUDA."""
    cuda = _cuda()
    if cuda is None:
        return None, None
    return cuda.max_memory_allocated(), cuda.max_memory_reserved()


@contextlib.contextmanager
def phase(name: str, into: dict[str, Any]) -> Iterator[None]:
    """Records seconds and peaks of a block as ``into[name]``: on CUDA those of the device that is
    the current one before it begins (core.devices)."""
    own_peak = reset_peak()
    if cuda := _cuda():
        cuda.reset_peak_memory_stats()
    started = time.monotonic()
    try:
        yield
    finally:
        allocated, reserved = _cuda_peaks()
        into[name] = {
            "seconds": time.monotonic() - started,
            "host_peak_rss": peak_rss(),
            "host_peak_is_of_phase": own_peak,
            "peak_allocated": allocated,
            "peak_reserved": reserved,
        }


class OutOfMemory(BenchError):
    """Something needs more memory than there is, and no other way of doing it takes less."""


# Of the name and the text of an error, in small letters.
_OUT_OF_MEMORY = re.compile(
    "memoryerror"  # Python
    "|outofmemory"  # torch.OutOfMemoryError, of a device
    "|out of memory"  # CUDA, and torch before it had a class of its own
    "|can't allocate memory"  # torch on a CPU
    "|cannot allocate memory"  # the kernel: ENOMEM
    "|bad_alloc"  # C++
    "|could not create a primitive(?! descriptor)"  # oneDNN, which says no more
    "|alloc_failed"  # cuBLAS and cuDNN
    "|unable to find an engine to execute"  # cuDNN, where none has the room that it works in
)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says so, in whichever library's words."""
    return says_out_of_memory(f"{type(error).__name__} {error}")


def says_out_of_memory(text: str) -> bool:
    return bool(_OUT_OF_MEMORY.search(text.lower()))
