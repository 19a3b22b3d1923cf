"""What autocast does on CUDA, for plans that are traced without it.

Autocast has a list of operations for each kind of device. Both give matrix products and
convolutions to bfloat16; CUDA's has far more that stay in float32, norms and softmax among them,
and float32 takes twice the memory.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._pytree import tree_map_only

# AT_FORALL_FP32 of torch's ATen/autocast_mode.h: these are given float32.
GIVEN_FLOAT32 = (
    *("acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log2", "log1p"),
    *("reciprocal", "rsqrt", "sinh", "tan", "pow.Tensor_Scalar", "pow.Tensor_Tensor"),
    *("pow.Scalar", "softplus", "layer_norm", "native_layer_norm", "rms_norm", "group_norm"),
    *("frobenius_norm.dim", "nuclear_norm", "nuclear_norm.dim", "cosine_similarity"),
    *("poisson_nll_loss", "cosine_embedding_loss", "nll_loss", "nll_loss2d"),
    *("hinge_embedding_loss", "kl_div", "l1_loss", "smooth_l1_loss", "huber_loss", "mse_loss"),
    *("margin_ranking_loss", "multilabel_margin_loss", "soft_margin_loss"),
    *("triplet_margin_loss", "multi_margin_loss", "binary_cross_entropy_with_logits", "dist"),
    *("pdist", "cdist", "renorm", "logsumexp", "upsample_nearest1d"),
    *("_upsample_nearest_exact1d", "upsample_nearest2d", "_upsample_nearest_exact2d"),
    *("upsample_nearest3d", "_upsample_nearest_exact3d", "upsample_linear1d"),
    *("upsample_bilinear2d", "_upsample_bilinear2d_aa", "upsample_trilinear3d"),
    *("upsample_bicubic2d", "_upsample_bicubic2d_aa"),
)
# AT_FORALL_FP32_SET_OPT_DTYPE: these are asked for float32.
ASKED_FLOAT32 = (
    *("prod", "prod.dim_int", "softmax.int", "log_softmax.int", "cumprod", "cumsum"),
    *("linalg_vector_norm", "linalg_matrix_norm", "linalg_matrix_norm.str_ord"),
    *("sum", "sum.dim_IntList"),
)


@contextlib.contextmanager
def cuda_casts() -> Iterator[None]:
    """Within, autocast on the CPU keeps in float32 what it would on CUDA."""
    with torch.library._scoped_library("aten", "IMPL") as library:
        for names, answering in ((GIVEN_FLOAT32, _given), (ASKED_FLOAT32, _asked)):
            for name in names:
                if not _on_the_cpus_list(name):
                    library.impl(name, answering(_operation(name)), "AutocastCPU")
        yield


def _on_the_cpus_list(name: str) -> bool:
    return torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{name}", "AutocastCPU")


def _operation(name: str) -> Callable[..., Any]:
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload or "default")


def _given(operation: Callable[..., Any]) -> Callable[..., Any]:
    def answer(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast("cpu", enabled=False):
            return operation(*_widened(args), **_widened(kwargs))

    return answer


def _asked(operation: Callable[..., Any]) -> Callable[..., Any]:
    def answer(first: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("dtype") is None and first.is_floating_point():
            kwargs["dtype"] = torch.promote_types(first.dtype, torch.float32)
        with torch.autocast("cpu", enabled=False):
            return operation(first, *args, **kwargs)

    return answer


def _widened(given: Any) -> Any:
    """bfloat16 and half as float32; what is wider stays."""

    def wide(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.float() if tensor.dtype in (torch.bfloat16, torch.half) else tensor

    return tree_map_only(torch.Tensor, wide, given)
