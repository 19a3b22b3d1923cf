"""Inference on any length: overlapping slices of a fixed size, cross-faded.

Every slice should start from the same noise (draw it once with :func:`one_noise` and repeat it
over the batch): neighbours then agree where they overlap.
"""

# Shapes: B slices, C channels, M mels, T frames, S frames of a slice.

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import torch

Value = TypeVar("Value")
Listen = Callable[[int, int], None]  # (slices done, slices in all)

_listener: ContextVar[Listen | None] = ContextVar("listener", default=None)
AT_ONCE = 8  # slices that a function is given, unless memory is short
_at_once: ContextVar[int] = ContextVar("at_once", default=AT_ONCE)


def watched(listen: Listen) -> contextlib.AbstractContextManager[None]:
    """Within the block, ``listen`` is called after each batch of slices of :func:`run_sliced`."""
    return _set(_listener, listen)


def at_once(count: int) -> contextlib.AbstractContextManager[None]:
    """Within the block, :func:`run_sliced` gives at most so many slices to its function."""
    return _set(_at_once, count)


@contextlib.contextmanager
def _set(variable: ContextVar[Value], value: Value) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def slices(frames: int, size: int, overlap: int) -> list[int]:
    """Where slices of ``size`` frames start so that they cover ``frames``; the last may pass
    the end, and none lies wholly in what its neighbour covers."""
    if not 0 <= overlap <= size // 2:
        raise ValueError(f"overlap must lie in 0..{size // 2}, not {overlap}")
    uncovered = max(frames - overlap, 1)
    return list(range(0, uncovered, size - overlap))


def run_sliced(
    condition: "torch.Tensor",
    size: int,
    overlap: int,
    function: "Callable[[torch.Tensor], torch.Tensor]",
    pad_value: float,
) -> "torch.Tensor":
    """``function`` ([B, C, M, S] → [B, C', M', S]) over ``condition`` [C, M, T] → [C', M', T].

    The tail is padded with ``pad_value``, which should be silence in the condition's own unit.
    At most AT_ONCE slices are given to ``function`` at once, or as :func:`at_once` has it.
    """
    import torch

    frames = condition.shape[-1]
    starts = slices(frames, size, overlap)
    tail = starts[-1] + size - frames
    padded = torch.nn.functional.pad(condition, (0, tail), value=pad_value)
    pieces = torch.stack([padded[..., s : s + size] for s in starts])  # [B, C, M, S]
    made, batch = [], _at_once.get()
    for number, part in enumerate(pieces.split(batch)):
        made.append(function(part))
        if listen := _listener.get():
            listen(min((number + 1) * batch, len(starts)), len(starts))
    return cross_fade(torch.cat(made), starts, overlap)[..., :frames]  # from [B, C', M', S]


def drawing_alike(
    function: "Callable[[torch.Tensor, np.random.Generator], torch.Tensor]",
    rng: "np.random.Generator",
) -> "Callable[[torch.Tensor], torch.Tensor]":
    """``function`` for :func:`run_sliced`, given an equal generator for every batch of slices:
    how slices are batched then changes nothing of what is drawn."""
    import numpy as np

    seed = int(rng.integers(2**63))
    return lambda pieces: function(pieces, np.random.default_rng(seed))


def cross_fade(made: "torch.Tensor", starts: list[int], overlap: int) -> "torch.Tensor":
    """Slices [B, ..., S] laid at ``starts``; each fades linearly into the next over
    ``overlap`` frames, so that the two weights of a frame add up to one."""
    import torch

    size = made.shape[-1]
    ramp = (torch.arange(overlap, device=made.device, dtype=made.dtype) + 0.5) / max(overlap, 1)
    joined = made.new_zeros(*made.shape[1:-1], starts[-1] + size)
    for start, piece in zip(starts, made, strict=True):
        fade = overlap if start else 0  # nothing lies under the first
        seam = joined[..., start : start + fade].lerp(piece[..., :fade], ramp[:fade])
        joined[..., start : start + size] = torch.cat([seam, piece[..., fade:]], dim=-1)
    return joined


def one_noise(rng: "np.random.Generator", shape: tuple[int, ...]) -> "torch.Tensor":
    """Standard normal noise float32, drawn once for all the slices of an item."""
    import numpy as np
    import torch

    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
