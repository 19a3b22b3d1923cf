"""What stays in float32 on CUDA, against torch's own list."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from timbrebench.core.casts import ASKED_FLOAT32, GIVEN_FLOAT32, cuda_casts

HEADER = Path(torch.__file__).parent / "include" / "ATen" / "autocast_mode.h"
X = torch.linspace(-1, 1, 2 * 4 * 8).reshape(2, 4, 8).bfloat16()


def listed(macro: str) -> list[str]:
    """The operations of a list in torch's header, 'name' or 'name.overload'."""
    body = re.search(rf"#define {macro}\(_\)((?:.*\\\n)*.*\n)", HEADER.read_text())
    assert body
    return [".".join(re.split(r",\s*", name)) for name in re.findall(r"_\(([^)]*)\)", body[1])]


def test_the_lists_are_torchs() -> None:
    assert list(GIVEN_FLOAT32) == listed("AT_FORALL_FP32")
    assert list(ASKED_FLOAT32) == listed("AT_FORALL_FP32_SET_OPT_DTYPE")


OPERATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "group_norm": lambda x: F.group_norm(x, 2, torch.ones(4), torch.zeros(4)),
    "layer_norm": lambda x: F.layer_norm(x, [8]),
    "softmax": lambda x: F.softmax(x, -1),
    "power": lambda x: x**2,
    "sum": lambda x: x.sum(),
    "upsample": lambda x: F.interpolate(x, scale_factor=2),
    "within another": lambda x: F.cross_entropy(x[0], torch.zeros(4, dtype=torch.long)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_listed_is_computed_in_float32(name: str) -> None:
    operation = OPERATIONS[name]
    with torch.autocast("cpu", torch.bfloat16):
        before = operation(X)
        with cuda_casts():
            within = operation(X)
        after = operation(X)
    assert within.dtype == torch.float32 and before.dtype == after.dtype
    torch.testing.assert_close(within, operation(X.float()), rtol=1e-6, atol=0)


def test_of_these_some_are_in_bfloat16_on_the_cpu() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        kept = [name for name, operation in OPERATIONS.items() if operation(X).dtype == X.dtype]
    assert {"group_norm", "layer_norm", "softmax"} <= set(kept)


def test_products_stay_in_bfloat16_and_without_autocast_nothing_changes() -> None:
    with cuda_casts():
        assert F.softmax(X, -1).dtype == torch.bfloat16
        with torch.autocast("cpu", torch.bfloat16):
            assert F.linear(X.float(), torch.ones(3, 8)).dtype == torch.bfloat16
            assert F.silu(X).dtype == torch.bfloat16  # on neither list: as it comes
            assert F.softmax(X.double(), -1).dtype == torch.float64
