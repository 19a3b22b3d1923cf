"""Which precision ``auto`` stands for. Light: no torch."""

from pathlib import Path

AUTO = "auto"
PRECISIONS = (AUTO, "fp32", "bf16")

_CPUINFO = Path("/proc/cpuinfo")
# What a CPU must have to multiply bfloat16 itself. Without it torch emulates: a convolution of
# 48 channels took 50 times as long as in float32.
_NATIVE = {"avx512_bf16", "amx_bf16"}


def resolve_precision(asked: str, device: str) -> str:
    """'fp32' or 'bf16': what was asked for; for ``auto`` bf16 where the device computes in it.

    A GPU is taken to. Other systems than Linux do not tell: fp32.
    """
    if asked != AUTO:
        return asked
    return "bf16" if device != "cpu" or _NATIVE & cpu_flags() else "fp32"


def cpu_flags() -> set[str]:
    """The first processor's features, as Linux names them; empty elsewhere."""
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        return set()
    found = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return set(found.partition(":")[2].split())
