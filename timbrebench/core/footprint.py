"""What a training step costs, without running it: FLOPs and peak memory, on fake tensors."""

import weakref
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from timbrebench.core.casts import cuda_casts
from timbrebench.core.interfaces import Stage
from timbrebench.core.learner import Learner
from timbrebench.core.ways import Way

aten = torch.ops.aten
# Real ones compute a value an element where their mean will be, and keep that place.
REDUCED_WHERE_THEY_LIE = {
    aten.mse_loss.default,
    aten.smooth_l1_loss.default,
    aten.binary_cross_entropy.default,
    aten.soft_margin_loss.default,
}


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the storages that live, and their peak, of all that is made within."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self.known: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        least = args[0].nbytes if func in REDUCED_WHERE_THEY_LIE else 0
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._see(leaf.untyped_storage(), least)
        return result

    def _see(self, storage: torch.UntypedStorage, least: int) -> None:
        key = storage._cdata
        if key in self.known:
            return
        self.known[key] = max(storage.nbytes(), least)
        self.live += self.known[key]
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.live -= self.known.pop(key)


def step_flops(stage: Stage) -> int:
    """FLOPs of forward and backward for one example.

    Counted at two examples and halved: a network may treat a batch of one apart.
    """
    batch = 2
    with FakeTensorMode(), torch.random.fork_rng(devices=[]):
        module = stage.build().train()
        specimen = stage.specimen(batch)
        with FlopCounterMode(display=False) as counter:
            stage.loss(module, specimen)["loss"].backward()
    return int(counter.get_total_flops() / batch)


def training_peak(
    stage: Stage,
    way: Way,
    precision: str = "fp32",
    depends: Sequence[Stage] = (),
    *,
    device: str = "cpu",
    fake: bool = True,
) -> int:
    """Bytes of all tensors that live at the worst moment of a stage's training on a kind of device
    ('cpu' or 'cuda', which need not be there), the networks of the stages that it ``depends`` on
    among them. ``fake`` False: on real tensors, to check the trace."""
    mode = FakeTensorMode() if fake else nullcontext()
    casts = nullcontext() if device == "cpu" else cuda_casts()
    with mode, casts, LiveBytes() as counted, torch.random.fork_rng(devices=[]):
        others = [other.build() for other in depends]
        brief_training(stage, way, precision)
        del others
    return counted.peak


def brief_training(stage: Stage, way: Way, precision: str) -> None:
    """What a trace is of: a step of one micro-batch, in which the optimiser makes its state, then
    a step of two, if it has as many, and a validation, while the best weights are kept.

    Further micro-batches differ by their input alone, all of which is held.
    """
    batch, held = stage.specimen(stage.recipe.batch_size), stage.recipe.valid_examples
    valid = stage.specimen(held) if held else {}
    learner = Learner(
        stage,
        stage.build(),
        precision=precision,
        micro_batch=way.micro_batch,
        recompute=way.recompute,
    )
    for number in (1, 2):
        traced = {name: value[: number * way.micro_batch] for name, value in batch.items()}
        for _ in learner.step(traced, stage.recipe.lr, number):
            pass
        learner.keep()
    if valid:
        learner.validate([{k: v[: way.micro_batch] for k, v in valid.items()}])


def sampling_peak(stages: Sequence[Stage], slices: int, *, fake: bool = True) -> int:
    """Bytes of the networks of a cell and of one answer to so many slices at once. ``fake`` as of
    :func:`training_peak`."""
    mode = FakeTensorMode() if fake else nullcontext()
    with mode, LiveBytes() as counted, torch.random.fork_rng(devices=[]):
        brief_sampling(stages, slices)
    return counted.peak


def brief_sampling(stages: Sequence[Stage], slices: int) -> None:
    """What a trace is of: the forward pass of the loss of each stage in turn, without gradients,
    in float32, as methods sample."""
    modules = [stage.build().eval() for stage in stages]
    for stage, module in zip(stages, modules, strict=True):
        specimen = stage.specimen(slices)
        with torch.no_grad():
            stage.loss(module, specimen)
        del specimen


def has_batch_norm(stage: Stage) -> bool:
    """Whether a step depends on how its batch is split."""
    with FakeTensorMode(), torch.random.fork_rng(devices=[]):
        return any(
            isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in stage.build().modules()
        )
