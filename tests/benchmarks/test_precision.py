"""``auto`` is what the device computes in; a precision that was asked for stays."""

from pathlib import Path

import pytest

from timbrebench.benchmarks import precision
from timbrebench.benchmarks.precision import cpu_flags, resolve_precision


@pytest.mark.parametrize(
    ("flags", "told"),
    [("fma avx2", "fp32"), ("avx512f avx512_bf16", "bf16"), ("amx_bf16 avx2", "bf16")],
)
def test_auto_follows_the_cpu(
    flags: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\nflags\t\t: x\n")
    monkeypatch.setattr(precision, "_CPUINFO", cpuinfo)
    assert cpu_flags() == set(flags.split())
    assert resolve_precision("auto", "cpu") == told
    assert resolve_precision("auto", "cuda:1") == "bf16"
    for asked in ("fp32", "bf16"):
        assert resolve_precision(asked, "cpu") == asked


def test_where_nothing_tells_it_is_fp32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_CPUINFO", tmp_path / "absent")
    assert resolve_precision("auto", "cpu") == "fp32"
