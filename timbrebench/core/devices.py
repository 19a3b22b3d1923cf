"""The device that a process computes on, where torch leaves something to its caller."""

import torch

from timbrebench.core.errors import BenchError


def cuda_index(name: str) -> int:
    """The number of a CUDA device: ``cuda`` is the first. BenchError if it is not there."""
    number = torch.device(name).index or 0
    if not torch.cuda.is_available() or number >= torch.cuda.device_count():
        raise BenchError(f"there is no device '{name}' here.")
    return number


def use_device(name: str) -> None:
    """Makes a CUDA device the current one of this process: the one whose memory is limited and
    measured. With ``cpu`` nothing of CUDA is touched."""
    if name != "cpu":
        number = cuda_index(name)
        torch.cuda.init()
        torch.cuda.set_device(number)


def wait_for(name: str) -> None:
    """Returns when a CUDA device has done what it was asked: it is only queued until then."""
    if name != "cpu":
        torch.cuda.synchronize(name)
