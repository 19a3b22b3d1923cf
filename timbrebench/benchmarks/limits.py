"""The memory that a job may take: as said, as planned for, and as enforced. Light."""

import functools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from timbrebench.benchmarks.apart import ask_device
from timbrebench.benchmarks.config import Execution
from timbrebench.core.errors import BenchError
from timbrebench.core.units import parse_bytes
from timbrebench.core.ways import Allowance, Way, divisors, ways_down

# Libraries keep buffers of their own beside the tensors: cuBLAS 32 MiB on Hopper and 8 before, and
# oneDNN took 75 MB for the convolutions of the published ldm, a tenth of its tensors and 37 MB.
WORKSPACE = 64 * 2**20
# On a CPU the limit counts what is asked for, used or not: for oneDNN's kernels by shape, and what
# malloc's arenas keep between tensors, training in bf16 took up to 183 MiB beside both.
HOST_WORKSPACE = 256 * 2**20
_OWN_STEP = 16 * 2**20  # what a process has of its own is rounded up to these


@dataclass(frozen=True)
class MemoryLimits:
    """Bytes; None where there is no limit."""

    gpu: int | None = None
    host: int | None = None

    @property
    def record(self) -> dict[str, int | None]:
        return asdict(self)

    def __bool__(self) -> bool:
        return self.gpu is not None or self.host is not None


def memory_limits(execution: Execution, device: str) -> MemoryLimits:
    """The limits that were asked for. A share of a card asks the device how much it has."""
    host = parse_bytes(execution.host_memory) if execution.host_memory else None
    if host is not None and device != "cpu":
        raise BenchError(
            "--host-memory limits jobs on the CPU.", hint=f"With --device {device}: --gpu-memory."
        )
    return MemoryLimits(_gpu(execution.gpu_memory, device, execution.gpu_ids), host)


def check_memory(execution: Execution) -> None:
    """BenchError where an amount is none. Starts no process."""
    for text in (execution.gpu_memory, execution.host_memory):
        if text and _share(text) is None:
            parse_bytes(text)
    if execution.executor == "ray" and _share(execution.gpu_memory) is not None:
        raise BenchError(
            f"--gpu-memory {execution.gpu_memory} is a share of a card, and the cards are the "
            "cluster's.",
            hint="Name an amount, like 8GiB.",
        )
    if _share(execution.host_memory) is not None:
        raise BenchError(f"--host-memory is an amount, not '{execution.host_memory}'.", hint="8GiB")


def _gpu(text: str, device: str, gpus: Sequence[str]) -> int | None:
    if not text:
        return None
    share = _share(text)
    if share is None:
        return parse_bytes(text)
    if device == "cpu":
        raise BenchError(
            f"--gpu-memory {text} is a share of a card, and the device is the CPU.",
            hint="Name an amount to plan for, like 8GiB, or --device cuda.",
        )
    return int(share * ask_device(device, gpus)["memory"])


def _share(text: str) -> Fraction | None:
    """'1/2', '0.5', '50%' as a share of a whole; None for anything else."""
    number, percent = (text[:-1], 100) if text.endswith("%") else (text, 1)
    try:
        share = Fraction(number) / percent
    except (ValueError, ZeroDivisionError):
        return None
    return share if 0 < share <= 1 else None


# ---------------------------------------------------------------------------- a notch lower


def lower_stages(stage: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A stage's plan with each lower way of training, in turn."""
    memory = stage["memory"]
    ways = ways_down(Way(memory["micro_batch"], memory["recompute"]), stage["batch_size"])
    return [
        {**stage, "memory": {**memory, **asdict(way), "lowered": number}}
        for number, way in enumerate(ways, 1)
    ]


def lower_sampling(sampling: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A cell's sampling with ever fewer slices at once."""
    fewer = divisors(sampling["slices"])[1:]
    return [{**sampling, "slices": n, "lowered": k} for k, n in enumerate(fewer, 1)]


# ---------------------------------------------------------------------------- in a worker


def allowance(limits: Mapping[str, int | None], device: str, own: int | None) -> Allowance | None:
    """Of the limits the one that leaves the tensors of a job least. ``own``: what the process has
    without them, which differs a little from one to the next.

    What a GPU is planned for is what it would take there, whatever device there is here. That is
    never less than on a CPU (core.casts), and so serves for both limits.
    """
    gpu, host = limits.get("gpu"), limits.get("host") if device == "cpu" else None
    known = [(gpu, WORKSPACE), (host, HOST_WORKSPACE + -(-(own or 0) // _OWN_STEP) * _OWN_STEP)]
    kind = "cpu" if gpu is None else "cuda"
    found = [Allowance(limit, beside, kind) for limit, beside in known if limit is not None]
    return min(found, key=lambda each: each.limit - each.beside, default=None)


@functools.cache
def settle() -> None:
    """Makes this process take what it will have of its own, before that is counted and a limit
    holds: OpenBLAS, of which SciPy has one, tries for ever where it gets none; threads, their
    arenas and oneDNN's kernels come with the first step of any training, some 90 MiB."""
    import scipy.linalg  # noqa: F401
    import torch

    conv = functools.partial(torch.nn.Conv2d, kernel_size=3, padding=1)
    net = torch.nn.Sequential(conv(4, 8), torch.nn.GroupNorm(2, 8), torch.nn.SiLU(), conv(8, 4))
    optimiser = torch.optim.AdamW(net.parameters(), fused=True)
    state = torch.get_rng_state()
    for dtype in (torch.float32, torch.bfloat16):
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            made = net(torch.zeros(2, 4, 16, 16))
        made.float().sum().backward()
        optimiser.step()
    torch.set_rng_state(state)


def enforce(limits: Mapping[str, int | None], device: str) -> str:
    """Makes this process keep to the limits; by what: 'allocator', 'rlimit' or 'none'.

    On CUDA its current device's (core.devices). On a CPU a limit for a GPU is planned for and
    cannot be enforced.
    """
    gpu, host = limits.get("gpu"), limits.get("host")
    if device != "cpu" and gpu is not None:
        import torch

        whole = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, gpu / whole))
        return "allocator"
    if device == "cpu" and host is not None and sys.platform == "linux":
        import resource

        settle()
        # Data, not address space: libraries map far more than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (host, host))
        return "rlimit"
    return "none"


def judged(
    way: Mapping[str, Any],
    limits: Mapping[str, int | None],
    enforced: str,
    memory: Mapping[str, Any],
) -> dict[str, Any]:
    """A phase's memory with how it was planned and limited, and whether its peak stayed within
    what was enforced (None where nothing was)."""
    within = _within(memory, limits, enforced)
    return {**memory, **way, "limits": limits, "enforced": enforced, "within_budget": within}


def _within(
    memory: Mapping[str, Any], limits: Mapping[str, int | None], enforced: str
) -> bool | None:
    peak, limit = {
        "allocator": (memory["peak_reserved"], limits.get("gpu")),
        "rlimit": (memory["host_peak_rss"], limits.get("host")),
        "none": (None, None),
    }[enforced]
    return None if peak is None or limit is None else peak <= limit
