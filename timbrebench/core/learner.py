"""One step of training and one validation: what the trainer runs, and what a memory plan traces.

Nothing here asks for the value of a tensor, so that all of it runs on fake tensors too.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from timbrebench.core.interfaces import Stage

Batch = dict[str, torch.Tensor]


class Learner:
    """A network that is fitted to a stage's loss, with its optimiser, average and best weights.

    ``micro_batch``: examples that are held at once, None for the whole batch; gradients of the
    parts add up to those of the whole. ``recompute``: activations are computed again on the way
    back, instead of kept.
    """

    def __init__(
        self,
        stage: Stage,
        module: nn.Module,
        *,
        precision: str = "fp32",
        micro_batch: int | None = None,
        recompute: bool = False,
    ) -> None:
        self.stage, self.module, self.recipe = stage, module, stage.recipe
        self.precision, self.micro_batch = precision, micro_batch
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            self.parameters,
            lr=self.recipe.lr,
            betas=self.recipe.betas,
            weight_decay=self.recipe.weight_decay,
            fused=True,
        )
        self.ema = copied(module.state_dict())
        self.best: Batch = {}
        if recompute:
            recompute_blocks(module)

    def step(self, batch: Batch, rate: float, number: int) -> Iterator[Batch]:
        """Step ``number`` (from 1) with a learning rate. Gives the losses of each micro-batch,
        weighted so that they add up to those of the batch."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.module.train()
        self.optimiser.zero_grad(set_to_none=True)
        for part, weight in micro_batches(batch, self.micro_batch or self.recipe.batch_size):
            losses = self.loss(part)
            (losses["loss"] * weight).backward()
            yield {name: value.detach() * weight for name, value in losses.items()}
            del losses  # the last of the graph, before the next is made
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        self.optimiser.step()
        self._average(number)

    def validate(self, batches: Sequence[Batch]) -> Batch:
        """The mean losses of the averaged weights."""
        kept = copied(self.module.state_dict())
        self.module.load_state_dict(self.ema)
        self.module.eval()
        total = sum(map(size_of, batches))
        sums: Batch = {}
        with torch.no_grad():
            for batch in batches:
                for name, value in self.loss(batch).items():
                    share = value.double() * (size_of(batch) / total)
                    sums[name] = sums[name] + share if name in sums else share
        self.module.load_state_dict(kept)
        return sums

    def keep(self) -> None:
        """The averaged weights are the best so far."""
        if not self.best:
            self.best = copied(self.ema)
            return
        for name, value in self.ema.items():
            self.best[name].copy_(value)

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        optimiser = self.optimiser.state_dict()
        kept = {"module": self.module.state_dict(), "ema": self.ema, "best": self.best}
        return {**kept, "optimiser": optimiser}

    def load(self, state: Mapping[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.ema, self.best = state["ema"], state["best"]

    def loss(self, batch: Batch) -> Batch:
        device = next(iter(batch.values())).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.precision == "bf16"):
            return self.stage.loss(self.module, batch)

    def _average(self, number: int) -> None:
        """EMA of the weights, and of BatchNorm's statistics with them; counters are copied."""
        decay = min(self.recipe.ema, (1 + number) / (10 + number)) if self.recipe.ema else 0.0
        with torch.no_grad():
            now = self.module.state_dict()
            for name, kept in self.ema.items():
                if kept.is_floating_point():
                    kept.lerp_(now[name], 1 - decay)
                else:
                    kept.copy_(now[name])


def copied(state: Batch) -> Batch:
    return {name: value.detach().clone() for name, value in state.items()}


def size_of(batch: Batch) -> int:
    return len(next(iter(batch.values())))


def micro_batches(batch: Batch, size: int) -> Iterator[tuple[Batch, float]]:
    """Parts of a batch, each with its share of it."""
    total = size_of(batch)
    for first in range(0, total, size):
        part = {k: v[first : first + size] for k, v in batch.items()}
        yield part, size_of(part) / total


def recompute_blocks(module: nn.Module) -> None:
    """Makes a network's blocks keep their inputs alone (activation checkpointing, Chen et al.
    2016). Blocks are the innermost modules that have modules of their own; parameters and
    their names stay as they are."""
    for block in list(module.modules()):
        children = list(block.children())
        if children and not any(True for child in children for _ in child.children()):
            _recompute(block)


def _recompute(block: nn.Module) -> None:
    forward = block.forward

    def recomputing(*given: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*given, **named)
        return checkpoint(forward, *given, use_reentrant=False, **named)

    block.forward = recomputing  # type: ignore[method-assign]
