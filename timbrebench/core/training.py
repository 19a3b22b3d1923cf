"""The one training loop: accumulation, EMA, precision, validation, checkpoints, resume.

A stage says what to fit (core.interfaces.Stage); everything else about training is here, once.
A run that is killed and started again ends with the same weights, bit for bit on a CPU, as one
that never was: examples are drawn by their number, and all other state is in the checkpoint.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from timbrebench.core import files, seeds
from timbrebench.core.devices import wait_for
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Recipe, Stage, StageContext
from timbrebench.core.learner import Batch, Learner
from timbrebench.core.mapped import release_pages
from timbrebench.core.memory import phase

Report = Callable[[Mapping[str, Any]], None]

CURVE_POINTS = 200  # of a whole training, at most
TIMED_EVERY = 25  # steps between points where the number of steps is not known beforehand
REPORT_SECONDS = 0.5  # between two progress events


class TrainingDiverged(BenchError):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class TrainPlan:
    """How long and how to train: ``steps``, or ``seconds`` for a wall-clock budget."""

    steps: int  # 0 for a wall-clock budget
    seed: int
    data: str  # fingerprint of the corpus
    precision: str = "fp32"  # fp32 | bf16
    micro_batch: int | None = None  # None: the whole batch at once
    recompute: bool = False  # activations on the way back, instead of keeping them
    seconds: float | None = None
    checkpoint_seconds: float = 30.0
    flops_per_example: int = 0
    threads: int = 0
    shared: bool = False  # whether others worked on the machine: what its seconds are worth


@dataclass
class Clock:
    """Where training stands; all of it is in the checkpoint."""

    step: int = 0
    seconds: float = 0.0  # spent in steps, over all processes that took part
    wall: float = 0.0  # and between them: what a wall-clock budget counts
    validating: float = 0.0  # seconds of the longest validation, and of the longest saving
    saving: float = 0.0
    factor: float = 1.0  # of the plateau schedule
    best: float = math.inf
    stale: int = 0  # validations since the best
    curve: list[dict[str, float]] = field(default_factory=list)


def train(
    stage: Stage,
    context: StageContext,
    plan: TrainPlan,
    folder: Path,
    report: Report,
    judge: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> dict[str, Any]:
    """Trains the stage in ``folder``, from its checkpoint if it has one. ``judge`` adds to the
    record of its memory what was planned.

    Leaves model.safetensors, curve.jsonl and stage.json, and returns what stage.json holds.
    """
    state = stage.prepare(context)
    release_pages()
    torch.manual_seed(seeds.seed_of("init", plan.seed, files.digest(stage.config)) % 2**63)
    module = stage.build().to(context.device)
    trainer = _Trainer(stage, module, context, plan, folder, report)
    trainer.resume()
    memory: dict[str, Any] = {}
    with phase("train", memory):
        trainer.run()
    return trainer.finish({"state": state, "memory": judge(memory["train"])})


def collate(examples: list[dict[str, np.ndarray]], device: str) -> Batch:
    """Examples stacked along a new first axis."""
    keys = examples[0].keys()
    stacked = {k: np.stack([np.asarray(e[k]) for e in examples]) for k in keys}
    return {k: torch.from_numpy(v).to(device) for k, v in stacked.items()}


def draw(stage: Stage, plan: TrainPlan, split: str, first: int, count: int) -> list[dict]:
    """Examples ``first`` … of a split: each from its own stream, whatever the batch."""
    return [
        stage.example(seeds.generator(split, plan.seed, plan.data, i), split)
        for i in range(first, first + count)
    ]


def learning_rate(recipe: Recipe, step: int, done: float, steps: int) -> float:
    """The rate at a step; ``done`` is the share of the budget used; ``steps`` 0: not known."""
    warmup = max(1, min(recipe.warmup, steps // 10)) if steps else recipe.warmup
    if step < warmup:
        return recipe.lr * (step + 1) / warmup
    if recipe.schedule == "plateau":
        return recipe.lr
    cosine = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    return recipe.lr_final + (recipe.lr - recipe.lr_final) * cosine


class _Trainer:
    def __init__(
        self,
        stage: Stage,
        module: torch.nn.Module,
        context: StageContext,
        plan: TrainPlan,
        folder: Path,
        report: Report,
    ) -> None:
        self.stage, self.plan = stage, plan
        self.context, self.folder, self.report = context, folder, report
        self.recipe = stage.recipe
        self.clock = Clock()
        self.learner = Learner(
            stage,
            module,
            precision=plan.precision,
            micro_batch=plan.micro_batch,
            recompute=plan.recompute,
        )
        self.sums: Batch = {}  # of the losses since the last point of the curve, [] float64
        self.valid = self._draw_validation()
        self.log_every = max(1, plan.steps // CURVE_POINTS) if plan.steps else TIMED_EVERY

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        self.saved = self.told = self.ticked = time.monotonic()
        while not self._done():
            self._step()
            if not self._done():
                self._between()
        if self.plan.seconds is not None:
            self._save()  # a kill from here on costs none of the budget
        self._validate()
        self._log()
        self._tell()
        self._tick()

    def _between(self) -> None:
        """What is due between two steps. Under a wall-clock budget all of it is after the first
        one, to learn what it takes, and later only what leaves room for the last of its kind."""
        learns = self.plan.seconds is not None and self.clock.step == 1
        if learns or (self._due(self.recipe.valid_every) and self._has_room(self.clock.validating)):
            self._validate()
            self._tick()
        if self._due(self.log_every):
            self._log()
        if time.monotonic() - self.told > REPORT_SECONDS:
            self._tell()
            release_pages()
        late = time.monotonic() - self.saved > self.plan.checkpoint_seconds
        if learns or (late and self._has_room(self.clock.saving)):
            self._save()
        self._tick()

    def _done(self) -> bool:
        """A wall-clock budget leaves room for what comes after its last step."""
        if self.plan.seconds is not None:
            return self.clock.step > 0 and not self._has_room(0.0)
        return self.clock.step >= self.plan.steps

    def _has_room(self, seconds: float) -> bool:
        """Whether so much more, and a validation and a checkpoint at the end, are within a
        wall-clock budget."""
        ends = self.clock.wall + seconds + self.clock.validating + self.clock.saving
        return self.plan.seconds is None or ends < self.plan.seconds

    def _share(self) -> float:
        if self.plan.seconds is not None:
            return self.clock.wall / self.plan.seconds
        return self.clock.step / self.plan.steps

    def _due(self, every: int) -> bool:
        return self.clock.step % every == 0

    def _tick(self) -> None:
        now = time.monotonic()
        self.clock.wall, self.ticked = self.clock.wall + now - self.ticked, now

    def _step(self) -> None:
        started = time.monotonic()
        self._take_step()
        wait_for(self.context.device)  # a GPU has only been asked so far
        self.clock.seconds += time.monotonic() - started
        self.clock.step += 1
        self._tick()

    def _take_step(self) -> None:
        size = self.recipe.batch_size
        first = self.clock.step * size
        batch = collate(draw(self.stage, self.plan, "train", first, size), self.context.device)
        rate = learning_rate(self.recipe, self.clock.step, self._share(), self.plan.steps)
        for losses in self.learner.step(batch, rate * self.clock.factor, self.clock.step + 1):
            for name, value in losses.items():
                more = value.double()
                self.sums[name] = self.sums[name] + more if name in self.sums else more

    # ------------------------------------------------------------------ validation, log

    def _draw_validation(self) -> list[Batch]:
        count = self.recipe.valid_examples
        if not count or not self.context.corpus.tracks_of("valid"):
            return []
        examples = draw(self.stage, self.plan, "valid", 0, count)
        size = self.plan.micro_batch or self.recipe.batch_size
        return [collate(examples[i : i + size], self.context.device) for i in range(0, count, size)]

    def _validate(self) -> None:
        """Keeps the averaged weights if they are the best so far on the fixed examples."""
        if not self.valid or self._last("valid_loss") == self.clock.step:
            return
        started = time.monotonic()
        means = {f"valid_{k}": float(v) for k, v in self.learner.validate(self.valid).items()}
        self.clock.validating = max(self.clock.validating, time.monotonic() - started)
        loss = means["valid_loss"]
        self.clock.curve.append({"step": self.clock.step, **means})
        if loss < self.clock.best:
            self.clock.best, self.clock.stale = loss, 0
            self.learner.keep()
            return
        self.clock.stale += 1
        if self.recipe.schedule == "plateau" and self.clock.stale > 10:
            self.clock.factor, self.clock.stale = self.clock.factor * 0.5, 0

    def _log(self) -> None:
        steps = self.clock.step - self._last("loss")
        if not steps:
            return
        means = {name: float(value) / steps for name, value in self.sums.items()}
        self.sums = {}
        if not math.isfinite(means.get("loss", 0.0)):
            raise TrainingDiverged(
                f"the loss of {self.stage.name} is {means['loss']} at step {self.clock.step}.",
                hint="Try a lower lr.",
            )
        point = {"step": self.clock.step, "seconds": round(self.clock.seconds, 3), **means}
        self.clock.curve.append(point)

    def _last(self, name: str) -> int:
        """The step of the last point of the curve that has a value of that name; 0: none has."""
        steps = [int(p["step"]) for p in self.clock.curve if name in p]
        return steps[-1] if steps else 0

    def _tell(self) -> None:
        self.told = time.monotonic()
        losses = [p["loss"] for p in self.clock.curve if "loss" in p]
        self.report(
            {
                "event": "step",
                "stage": self.stage.name,
                "step": self.clock.step,
                "steps": None if self.plan.seconds is not None else self.plan.steps,
                "share": min(1.0, self._share()),
                "loss": losses[-1] if losses else None,
                "seconds": self.clock.seconds,
                "examples_per_second": self._speed(),
            }
        )

    def _speed(self) -> float:
        return self.clock.step * self.recipe.batch_size / max(self.clock.seconds, 1e-9)

    # ------------------------------------------------------------------ files

    def _save(self) -> None:
        started = time.monotonic()
        self._tick()
        state = {
            **self.learner.state(),
            "sums": self.sums,
            "clock": asdict(self.clock),
            "rng": torch.get_rng_state(),
        }
        save_checkpoint(self.folder, state)
        self.saved = time.monotonic()
        self.clock.saving = max(self.clock.saving, self.saved - started)

    def resume(self) -> None:
        state = load_checkpoint(self.folder, self.context.device)
        if state is None:
            return
        self.learner.load(state)
        self.sums = state["sums"]
        self.clock = Clock(**state["clock"])
        torch.set_rng_state(state["rng"].cpu())
        self.report({"event": "resumed", "stage": self.stage.name, "step": self.clock.step})

    def finish(self, known: Mapping[str, Any]) -> dict[str, Any]:
        from safetensors.torch import save_file

        weights = self.learner.best or self.learner.ema
        model = self.folder / "model.safetensors"
        with files.atomic_path(model) as path:
            save_file({k: v.contiguous().cpu() for k, v in weights.items()}, path)
        lines = [json.dumps(point) for point in self.clock.curve]
        files.write_text(self.folder / "curve.jsonl", "\n".join(lines) + "\n")
        record = {**self._record(), **known, "sha256": files.sha256_of(model)}
        files.write_json(self.folder / "stage.json", record)
        for path in self.folder.glob("checkpoint*"):
            path.unlink()
        return record

    def _record(self) -> dict[str, Any]:
        examples = self.clock.step * self.recipe.batch_size
        return {
            "name": self.stage.name,
            "config": self.stage.config,
            "recipe": asdict(self.recipe),
            "steps": self.clock.step,
            "examples": examples,
            "flops": examples * self.plan.flops_per_example,
            "seconds": self.clock.seconds,
            "wall_seconds": self.clock.wall,
            "seconds_per_step": self.clock.seconds / max(1, self.clock.step),
            "examples_per_second": self._speed(),
            "best_valid_loss": self.clock.best if self.learner.best else None,
            "parameters": count_parameters(self.learner.module),
            "precision": self.plan.precision,
            "threads": self.plan.threads,
            "shared": self.plan.shared,
        }


def count_parameters(module: torch.nn.Module) -> dict[str, int]:
    """Parameters of each child that has any (of the whole, for a network without children)."""
    parts = {n: sum(p.numel() for p in c.parameters()) for n, c in module.named_children()}
    parts = {n: count for n, count in parts.items() if count}
    total = sum(p.numel() for p in module.parameters())
    return parts if sum(parts.values()) == total else {"network": total}


# ---------------------------------------------------------------------------- checkpoints

_NEWEST, _PREVIOUS, _HASHES = "checkpoint.pt", "checkpoint-previous.pt", "checkpoint.sha256"


def save_checkpoint(folder: Path, state: Mapping[str, Any]) -> None:
    """Two generations are kept: a damaged newest one costs its interval only.

    Their SHA-256 stand in a file of their own, written before they appear: whenever a kill
    comes, a whole checkpoint is there and known.
    """
    newest = folder / _NEWEST
    with files.atomic_path(newest) as temporary:
        torch.save(state, temporary)
        hashes = [files.sha256_of(temporary), *_known_hashes(folder)]
        files.write_text(folder / _HASHES, "\n".join(hashes[:8]))
        if newest.exists():
            newest.replace(folder / _PREVIOUS)


def load_checkpoint(folder: Path, device: str) -> dict[str, Any] | None:
    """The newest whole checkpoint of a folder, or None. A flipped bit would load without a
    word; a damaged file is removed, so that the next save does not keep it for the whole one."""
    known = _known_hashes(folder)
    for path in (folder / _NEWEST, folder / _PREVIOUS):
        if path.exists() and files.sha256_of(path) in known:
            return torch.load(path, map_location=device, weights_only=True)
        path.unlink(missing_ok=True)
    return None


def _known_hashes(folder: Path) -> list[str]:
    path = folder / _HASHES
    return path.read_text(errors="replace").split() if path.exists() else []
