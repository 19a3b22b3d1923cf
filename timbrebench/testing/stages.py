"""Checks of what a method trains."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrebench.core.interfaces import Recipe, Stage, StageContext, Trained
from timbrebench.core.seeds import generator
from timbrebench.testing.problems import Problems

if TYPE_CHECKING:
    import numpy as np
    import torch

BATCH = 2
STEPS = 2

Batch = dict[str, "torch.Tensor"]


def check_stages(problems: Problems, stages: list[Stage]) -> bool:
    """What stages say of themselves; False where they cannot be trained in their order."""
    before = len(problems.found)
    names = [stage.name for stage in stages]
    problems.expect(len(set(names)) == len(names), f"two of its stages share a name: {names}")
    for i, stage in enumerate(stages):
        told = f"stage '{stage.name}'"
        problems.expect(isinstance(stage.recipe, Recipe), f"the recipe of {told} is no Recipe")
        problems.expect(stage.share > 0, f"the share of {told} is not positive")
        late = set(stage.depends) - set(names[:i])
        problems.expect(not late, f"{told} depends on {late}, not returned before it")
        _expect_json(problems, f"the config of {told}", stage.config)
    return len(problems.found) == before


def check_stage(problems: Problems, stage: Stage, context: StageContext, folder: Path) -> Trained:
    """Checks a stage and returns it as after a very short training."""
    import torch

    told = f"stage '{stage.name}'"
    state = stage.prepare(context)
    _expect_json(problems, f"the state that prepare of {told} returns", state)
    with problems.attempt(f"example of {told}"):
        _check_examples(problems, stage, told)
    with problems.attempt(f"tracing a training step of {told}"):
        from timbrebench.core.footprint import step_flops

        step_flops(stage)
    module = _build(stage)
    same = _equal(module.state_dict(), _build(stage).state_dict())
    problems.expect(same, f"build of {told} gives other weights under the same seed of torch")
    batch = _batch(stage)
    _train(problems, stage, module, batch, told)
    module.eval()
    with torch.no_grad():
        loss = stage.loss(module, batch)["loss"]
        again = stage.loss(module, batch)["loss"]
    problems.expect(
        torch.equal(loss, again), f"the loss of {told} draws at random: draw in example"
    )
    with problems.attempt(f"saving and loading {told}"):
        fresh = _saved_and_loaded(stage, module, folder / "model.safetensors")
        with torch.no_grad():
            kept = torch.equal(loss, stage.loss(fresh, batch)["loss"])
        problems.expect(kept, f"{told} has another loss after saving and loading its weights")
    return Trained(module, state)


def tiny(stage: Stage) -> Stage:
    """The stage with as little work as possible."""
    valid = min(stage.recipe.valid_examples, BATCH)
    stage.recipe = replace(stage.recipe, batch_size=BATCH, valid_examples=valid)
    return stage


def _check_examples(problems: Problems, stage: Stage, told: str) -> None:
    for split in ("train", "valid") if stage.recipe.valid_examples else ("train",):
        first = stage.example(generator(split, 0), split)
        other = stage.example(generator(split, 1), split)
        again = stage.example(generator(split, 0), split)
        kept = _equal(first, again)
        problems.expect(kept, f"an example of {told} depends on more than its rng")
        problems.expect(
            not _equal(first, other), f"an example of {told} does not depend on its rng"
        )
        _check_shapes(problems, stage, first, told)


def _check_shapes(
    problems: Problems, stage: Stage, example: "Mapping[str, np.ndarray]", told: str
) -> None:
    import numpy as np

    specimen = stage.specimen(BATCH)
    real = {k: ((BATCH, *np.shape(v)), np.asarray(v).dtype.name) for k, v in example.items()}
    shapes = {k: (tuple(v.shape), str(v.dtype).rpartition(".")[2]) for k, v in specimen.items()}
    problems.expect(
        real == shapes, f"specimen of {told} has shapes {shapes} where examples have {real}"
    )


def _train(
    problems: Problems, stage: Stage, module: "torch.nn.Module", batch: Batch, told: str
) -> None:
    import torch

    parameters = [p for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=1e-3)
    module.train()
    for _ in range(STEPS):
        losses = stage.loss(module, batch)
        tensors = all(isinstance(v, torch.Tensor) for v in losses.values())
        problems.expect(tensors, f"the loss of {told} holds something other than tensors")
        loss = losses["loss"]
        problems.expect(loss.ndim == 0, f"the loss of {told} is no single number")
        problems.expect(bool(loss.isfinite().all()), f"the loss of {told} is not finite")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    gradients = [p.grad for p in parameters if p.grad is not None]
    problems.expect(gradients, f"the loss of {told} reaches no parameter")
    finite = all(bool(g.isfinite().all()) for g in gradients)
    problems.expect(finite, f"the loss of {told} has gradients that are not finite")


def _saved_and_loaded(stage: Stage, module: "torch.nn.Module", path: Path) -> "torch.nn.Module":
    from safetensors.torch import load_file, save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in module.state_dict().items()}, path)
    fresh = _build(stage, seed=1)
    fresh.load_state_dict(load_file(path))
    return fresh.eval()


def _build(stage: Stage, seed: int = 0) -> "torch.nn.Module":
    import torch

    torch.manual_seed(seed)
    return stage.build()


def _batch(stage: Stage) -> Batch:
    from timbrebench.core.training import collate

    return collate([stage.example(generator("batch", i), "train") for i in range(BATCH)], "cpu")


def _equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    import numpy as np

    return one.keys() == other.keys() and all(
        np.array_equal(np.asarray(one[k]), np.asarray(other[k]), equal_nan=False) for k in one
    )


def _expect_json(problems: Problems, what: str, value: Any) -> None:
    try:
        kept = json.loads(json.dumps(value))
    except (TypeError, ValueError) as error:
        problems.expect(False, f"{what} is no JSON: {error}")
        return
    problems.expect(isinstance(kept, dict), f"{what} is no mapping")
