"""Two CUDA devices that are not there: the lowest calls of torch, which no build without CUDA has.
All of torch.cuda above them is torch's own."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch._dynamo  # imported by a first seed, and not with devices that are not there

PEAKS = (3, 30), (5, 50)  # (allocated, reserved) bytes of each device


class FakeCuda:
    """What was asked of the devices: ``calls`` as (what, device, …)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, memory: int = 100) -> None:
        self.memory, self.current, self.calls = memory, 0, list[tuple[Any, ...]]()
        lowest = {
            "init": lambda: self.calls.append(("init",)),
            "getDeviceCount": lambda: len(PEAKS),
            "getDevice": lambda: self.current,
            "setDevice": self._set,
            "setMemoryFraction": lambda share, device: self.calls.append(("limit", device, share)),
            "resetPeakMemoryStats": lambda device: self.calls.append(("reset", device)),
            "memoryStats": self._peaks,
            "synchronize": lambda: self.calls.append(("wait", self.current)),
        }
        for name, function in lowest.items():
            monkeypatch.setattr(torch._C, f"_cuda_{name}", function, raising=False)
        known: dict[str, Any] = {
            "_cudart": object(),
            "_initialized": False,
            "_queued_calls": [],
            "_lazy_seed_tracker": torch.cuda._LazySeedTracker(),
            "default_generators": tuple(torch.Generator() for _ in PEAKS),
            "_cached_device_count": None,
            "_device_count_nvml": lambda: -1,
            "_exchange_device": self._exchange,
            "_maybe_exchange_device": self._exchange,
            "_get_device_properties": lambda device: SimpleNamespace(total_memory=self.memory),
        }
        for name, value in known.items():
            monkeypatch.setattr(torch.cuda, name, value, raising=False)

    def hold_tensors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Tensors that are moved to the devices stay where they are."""
        moved = torch.Tensor.to

        def to(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            there = [torch.device("cpu") if "cuda" in str(a) else a for a in args]
            return moved(tensor, *there, **kwargs)

        monkeypatch.setattr(torch.Tensor, "to", to)

    def _set(self, device: int) -> None:
        torch.cuda._lazy_init()
        self.current = device

    def _exchange(self, device: int) -> int:
        before, self.current = self.current, device
        return before

    @staticmethod
    def _peaks(device: int) -> dict[str, Any]:
        names = ("allocated_bytes", "reserved_bytes")
        return {n: {"all": {"peak": p}} for n, p in zip(names, PEAKS[device], strict=True)}
