"""The trainer, on problems small enough that the right answer is known."""

import itertools
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_cuda import FakeCuda
from safetensors.torch import load_file

from timbrebench.core import training
from timbrebench.core.files import sha256_of
from timbrebench.core.interfaces import Recipe, Stage, StageContext
from timbrebench.core.learner import Learner
from timbrebench.core.records import Corpus, Track
from timbrebench.core.training import (
    TrainingDiverged,
    TrainPlan,
    draw,
    learning_rate,
    load_checkpoint,
    save_checkpoint,
    train,
)

SLOPE, OFFSET = np.array([1.0, -2.0, 0.5]), 0.3
# Nothing but AdamW's step: no warm-up, no decay, no averaging, no validation.
PLAIN = Recipe(batch_size=4, lr_final=1e-3, warmup=0, weight_decay=0.0, ema=0.0, valid_examples=0)


def recipe(**changes: Any) -> Recipe:
    return Recipe(**{**vars(PLAIN), **changes})


class Line(Stage):
    """y = SLOPE·x + OFFSET, without noise."""

    def __init__(self, how: Recipe = PLAIN, dtype: torch.dtype = torch.float32, **config: Any):
        super().__init__("line", config, how)
        self.dtype = dtype
        self.seen: list[float] = []  # the first number of each training example

    def build(self) -> torch.nn.Module:
        return torch.nn.Linear(3, 1, dtype=self.dtype)

    def specimen(self, batch: int) -> dict[str, torch.Tensor]:
        return {"x": torch.zeros(batch, 3), "y": torch.zeros(batch, 1)}

    def prepare(self, context: StageContext) -> dict[str, Any]:
        return {"mean": 0.5}

    def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
        x = rng.standard_normal(3)
        if split == "train":
            self.seen.append(x[0])
        kind = np.float64 if self.dtype == torch.float64 else np.float32
        return {"x": x.astype(kind), "y": np.array([SLOPE @ x + OFFSET], kind)}

    def loss(
        self, module: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        return {"loss": (module(batch["x"]) - batch["y"]).square().mean()}


class Eventful(Line):
    """Everything that has a state: dropout, BatchNorm, validation; it may be stopped."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__(recipe(ema=0.9, valid_examples=8, valid_every=4, warmup=3, lr_final=1e-5))
        self.stop_at, self.steps = stop_at, 0

    def build(self) -> torch.nn.Module:
        layers = (torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.3))
        return torch.nn.Sequential(*layers, torch.nn.Linear(8, 1))

    def loss(
        self, module: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        if module.training:
            self.steps += 1
            if self.steps == self.stop_at:
                raise KeyboardInterrupt
        return super().loss(module, batch)


class Climb(Line):
    """One weight that starts at 0 and goes up by the learning rate a step, whatever it meets."""

    def __init__(self, how: Recipe, valid: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__(how)
        self.valid, self.path = valid, list[float]()

    def build(self) -> torch.nn.Module:
        module = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(module.weight)
        return module

    def loss(
        self, module: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        weight = next(module.parameters()).sum()
        if not module.training:
            return {"loss": self.valid(weight)}
        self.path.append(float(weight.detach()))
        return {"loss": -weight}


def plan(steps: int = 20, **changes: Any) -> TrainPlan:
    return TrainPlan(steps, seed=0, data="toy", **changes)


def run(
    stage: Stage,
    folder: Path,
    how: TrainPlan | None = None,
    events: list[Any] | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    corpus = Corpus("toy", (Track("v", {}, "valid"),), {}, "toy")
    context = StageContext(corpus, {}, device, lambda what, share: None)
    report = [].append if events is None else events.append
    folder.mkdir(exist_ok=True)
    return train(stage, context, how or plan(), folder, report)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def curve(folder: Path) -> list[dict[str, float]]:
    """Its points without the seconds, which differ from run to run."""
    lines = (folder / "curve.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


# ---------------------------------------------------------------------------- learning


def test_it_finds_the_line(tmp_path: Path) -> None:
    how = recipe(batch_size=16, lr=0.05, lr_final=1e-4, warmup=20, ema=0.99)
    run(Line(how), tmp_path, plan(600))
    found = weights(tmp_path)
    np.testing.assert_allclose(found["weight"].numpy()[0], SLOPE, atol=2e-3)
    np.testing.assert_allclose(found["bias"].item(), OFFSET, atol=2e-3)
    losses = [p["loss"] for p in curve(tmp_path)]
    assert losses[-1] < 1e-4 * losses[0]


def test_steps_are_those_of_adamw(tmp_path: Path) -> None:
    """Against torch's unfused AdamW in a loop of its own, clipping and decay included."""

    class FromZero(Line):
        def build(self) -> torch.nn.Module:
            module = super().build()
            for parameter in module.parameters():
                torch.nn.init.zeros_(parameter)
            return module

    how = recipe(lr=0.01, lr_final=0.01, weight_decay=0.1, clip=0.5)
    stage = FromZero(how, torch.float64)
    run(stage, tmp_path, plan(7))
    module = stage.build()
    optimiser = torch.optim.AdamW(
        module.parameters(), 0.01, betas=how.betas, weight_decay=0.1, foreach=False
    )
    for step in range(7):
        examples = draw(stage, plan(), "train", 4 * step, 4)
        batch = {k: torch.from_numpy(np.stack([e[k] for e in examples])) for k in ("x", "y")}
        optimiser.zero_grad()
        stage.loss(module, batch)["loss"].backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 0.5)
        optimiser.step()
    for name, value in module.state_dict().items():
        torch.testing.assert_close(weights(tmp_path)[name], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("micro", [1, 3, 4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_accumulation_is_the_plain_step(
    tmp_path: Path, micro: int, dtype: torch.dtype, tolerance: float
) -> None:
    how = recipe(batch_size=8, valid_examples=8, valid_every=5)
    for name, size in (("plain", None), ("parts", micro)):
        run(Line(how, dtype), tmp_path / name, plan(20, micro_batch=size))
    plain, parts = weights(tmp_path / "plain"), weights(tmp_path / "parts")
    for name in plain:
        torch.testing.assert_close(plain[name], parts[name], rtol=0, atol=tolerance)
    for one, other in zip(curve(tmp_path / "plain"), curve(tmp_path / "parts"), strict=True):
        assert one == pytest.approx(other, abs=tolerance)


def test_precision_is_that_of_the_plan(tmp_path: Path) -> None:
    kinds = []

    class Spy(Line):
        def loss(
            self, module: torch.nn.Module, batch: dict[str, torch.Tensor]
        ) -> dict[str, torch.Tensor]:
            kinds.append(module(batch["x"]).dtype)
            return super().loss(module, batch)

    run(Spy(), tmp_path / "a", plan(1, precision="bf16"))
    run(Spy(), tmp_path / "b", plan(1, precision="fp32"))
    assert kinds == [torch.bfloat16, torch.float32]
    assert {v.dtype for v in weights(tmp_path / "a").values()} == {torch.float32}


def test_frozen_parameters_stay(tmp_path: Path) -> None:
    class Frozen(Line):
        def build(self) -> torch.nn.Module:
            module = super().build()
            module.bias.requires_grad_(False)
            torch.nn.init.ones_(module.bias)
            return module

    run(Frozen(recipe(weight_decay=0.5)), tmp_path)
    assert weights(tmp_path)["bias"].item() == 1.0


def test_a_loss_that_is_no_number_ends_training(tmp_path: Path) -> None:
    class Diverging(Line):
        def loss(
            self, module: torch.nn.Module, batch: dict[str, torch.Tensor]
        ) -> dict[str, torch.Tensor]:
            return {"loss": super().loss(module, batch)["loss"] * math.nan}

    with pytest.raises(TrainingDiverged, match=r"the loss of line is nan at step 1\. .*lower lr"):
        run(Diverging(), tmp_path)
    assert not (tmp_path / "stage.json").exists()


# ---------------------------------------------------------------------------- randomness


def test_examples_are_drawn_by_number_whatever_the_batch(tmp_path: Path) -> None:
    seen = []
    for number, (batch, micro, steps) in enumerate([(4, None, 6), (4, 2, 6), (8, None, 3)]):
        stage = Line(recipe(batch_size=batch))
        run(stage, tmp_path / str(number), plan(steps, micro_batch=micro))
        seen.append(stage.seen)
    assert seen[0] == seen[1] == seen[2]
    assert len(set(seen[0])) == 24


def test_each_example_has_its_own_stream() -> None:
    stage = Line()
    third = draw(stage, plan(), "train", 3, 1)[0]["x"]
    assert np.array_equal(third, draw(stage, plan(), "train", 0, 5)[3]["x"])
    others = [TrainPlan(1, 1, "toy"), TrainPlan(1, 0, "other")]
    assert not any(np.array_equal(third, draw(stage, p, "train", 3, 1)[0]["x"]) for p in others)
    assert not np.array_equal(third, draw(stage, plan(), "valid", 3, 1)[0]["x"])


def test_the_first_weights_are_those_of_the_seed_and_the_config(tmp_path: Path) -> None:
    """Not of the stage's name: two methods may share a stage under two names."""
    found = {}
    for name, stage, seed in [
        ("one", Line(width=3), 0),
        ("renamed", Line(width=3), 0),
        ("seed", Line(width=3), 1),
        ("config", Line(width=4), 0),
    ]:
        stage.name = name
        run(stage, tmp_path / name, TrainPlan(1, seed, "toy"))
        found[name] = weights(tmp_path / name)["weight"]
    assert torch.equal(found["one"], found["renamed"])
    assert not torch.equal(found["one"], found["seed"])
    assert not torch.equal(found["one"], found["config"])


# ---------------------------------------------------------------------------- schedules, EMA


def test_cosine_with_warm_up_at_known_points() -> None:
    how = recipe(lr=1.0, lr_final=0.2, warmup=10)
    assert learning_rate(how, 0, 0.0, 1000) == pytest.approx(0.1)
    assert learning_rate(how, 9, 0.009, 1000) == pytest.approx(1.0)
    assert learning_rate(how, 250, 0.25, 1000) == pytest.approx(0.2 + 0.4 * (1 + math.sqrt(0.5)))
    assert learning_rate(how, 500, 0.5, 1000) == pytest.approx(0.6)
    assert learning_rate(how, 1000, 1.0, 1000) == pytest.approx(0.2)
    assert learning_rate(how, 9999, 1.7, 0) == pytest.approx(0.2)


def test_warm_up_is_at_most_a_tenth_of_the_steps() -> None:
    how = recipe(lr=1.0, lr_final=1.0, warmup=200)
    assert [learning_rate(how, i, i / 50, 50) for i in range(6)] == [0.2, 0.4, 0.6, 0.8, 1.0, 1.0]
    assert learning_rate(how, 0, 0.0, 3) == 1.0


def test_plateau_is_that_of_torch(tmp_path: Path) -> None:
    """The rate at each step is the climb of the next; torch's own scheduler gives the truth."""
    how = recipe(lr=0.1, lr_final=0.1, schedule="plateau", valid_examples=1, valid_every=1)
    stage = Climb(how, lambda weight: torch.ones(()) + 0 * weight)
    run(stage, tmp_path, plan(40))
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5, patience=10)
    rates = []
    for _ in range(39):
        rates.append(optimiser.param_groups[0]["lr"])
        scheduler.step(1.0)
    np.testing.assert_allclose(np.diff(stage.path), rates, rtol=1e-4)
    assert rates[-1] == 0.0125


def test_ema_is_that_of_the_formula(tmp_path: Path) -> None:
    how = recipe(lr=0.1, lr_final=0.1, ema=0.4)
    stage = Climb(how, lambda weight: weight)
    run(stage, tmp_path, plan(8))
    average = 0.0
    for n, weight in enumerate([*stage.path[1:], stage.path[-1] + 0.1], start=1):
        decay = min(0.4, (1 + n) / (10 + n))
        average = decay * average + (1 - decay) * weight
    assert weights(tmp_path)["weight"].item() == pytest.approx(average, rel=1e-5)


def test_without_ema_the_last_weights_are_kept(tmp_path: Path) -> None:
    run(Climb(recipe(lr=0.1, lr_final=0.1), lambda weight: weight), tmp_path, plan(8))
    assert weights(tmp_path)["weight"].item() == pytest.approx(0.8, rel=1e-5)


def test_the_best_weights_on_the_validation_examples_are_kept(tmp_path: Path) -> None:
    """The weight climbs past 0.52 in steps of 0.1: 0.5 was the best."""
    how = recipe(lr=0.1, lr_final=0.1, valid_examples=1, valid_every=1)
    record = run(Climb(how, lambda weight: (weight - 0.52).square()), tmp_path, plan(12))
    assert weights(tmp_path)["weight"].item() == pytest.approx(0.5, rel=1e-5)
    assert record["best_valid_loss"] == pytest.approx(0.02**2, rel=1e-3)


def test_without_validation_tracks_nothing_is_validated(tmp_path: Path) -> None:
    context = StageContext(Corpus("toy", (), {}, "toy"), {}, "cpu", lambda what, share: None)
    stage = Line(recipe(valid_examples=4, valid_every=1))
    record = train(stage, context, plan(3), tmp_path, lambda event: None)
    assert record["best_valid_loss"] is None
    assert not any("valid_loss" in point for point in curve(tmp_path))


# ---------------------------------------------------------------------------- what is left


def test_what_a_training_leaves(tmp_path: Path) -> None:
    events: list[Mapping[str, Any]] = []
    stage = Line(recipe(valid_examples=4, valid_every=2), width=3)
    record = run(stage, tmp_path, plan(4, flops_per_example=10), events)
    kept = json.loads((tmp_path / "stage.json").read_text())
    assert kept == json.loads(json.dumps(record))
    assert kept["sha256"] == sha256_of(tmp_path / "model.safetensors")
    assert kept["state"] == {"mean": 0.5}
    assert kept["config"] == {"width": 3}
    assert (kept["steps"], kept["examples"], kept["flops"]) == (4, 16, 160)
    assert kept["parameters"] == {"network": 4}
    assert kept["memory"]["peak_allocated"] is None
    assert [p["step"] for p in curve(tmp_path) if "loss" in p] == [1, 2, 3, 4]
    assert [p["step"] for p in curve(tmp_path) if "valid_loss" in p] == [2, 4]
    left = ["curve.jsonl", "model.safetensors", "stage.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == left
    assert events[-1]["step"] == events[-1]["steps"] == 4
    assert events[-1]["share"] == 1.0


class Slow(FakeCuda):
    """Devices that take ten seconds for what they were asked, on a clock of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.hold_tensors(monkeypatch)
        self.now = 0.0
        monkeypatch.setattr(torch._C, "_cuda_synchronize", self._work)
        monkeypatch.setattr(training.time, "monotonic", lambda: self.now)

    def _work(self) -> None:
        self.now += 10


def test_the_time_of_a_gpu_is_in_that_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step returns when its kernels are queued."""
    Slow(monkeypatch)
    record = run(Line(), tmp_path, plan(3), device="cuda:1")
    assert (record["seconds"], record["seconds_per_step"]) == (30, 10)


class Diary(Line):
    """It keeps the loss of each micro-batch, and ends in the middle of a step if it is to."""

    def __init__(self, last: int) -> None:
        super().__init__(PLAIN)
        self.losses, self.last = list[float](), last

    def loss(
        self, module: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        if len(self.losses) == self.last:
            raise KeyboardInterrupt
        found = super().loss(module, batch)
        self.losses.append(float(found["loss"].detach()))
        return found | {"loss_by_nothing": 2 * found["loss"].detach()}


def test_a_point_of_the_curve_is_the_mean_since_the_last_and_one_number_is_kept(
    tmp_path: Path,
) -> None:
    """A point every 10 of 2,000 steps, of 4 micro-batches each."""
    how = plan(2000, micro_batch=1, checkpoint_seconds=-1.0)
    stage = Diary(4 * 19 + 1)
    with pytest.raises(KeyboardInterrupt):
        run(stage, tmp_path, how)
    kept = load_checkpoint(tmp_path, "cpu")
    assert kept and kept["clock"]["step"] == 19
    [point] = kept["clock"]["curve"]
    assert point["loss"] == pytest.approx(np.mean(stage.losses[:40]), rel=1e-6)
    sums = kept["sums"]
    assert {name: value.shape for name, value in sums.items()} == {
        "loss": (),
        "loss_by_nothing": (),
    }
    assert float(sums["loss"]) == pytest.approx(sum(stage.losses[40:76]) / 4, rel=1e-6)


def test_batchnorm_statistics_come_along(tmp_path: Path) -> None:
    class Normed(Line):
        def build(self) -> torch.nn.Module:
            return torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))

        def example(self, rng: np.random.Generator, split: str) -> dict[str, np.ndarray]:
            drawn = super().example(rng, split)
            return {**drawn, "x": 2 * drawn["x"] + 5}

    run(Normed(recipe(batch_size=64, ema=0.9)), tmp_path, plan(100))
    found = weights(tmp_path)
    np.testing.assert_allclose(found["0.running_mean"].numpy(), 5, atol=0.3)
    np.testing.assert_allclose(found["0.running_var"].numpy(), 4, rtol=0.3)
    assert found["0.num_batches_tracked"].item() == 100


class Watch:
    """A clock that goes on by what is done: a step takes 1 s, a validation 4 and a checkpoint 2."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.done: list[str] = []
        self.die_in = ""
        monkeypatch.setattr(training.time, "monotonic", lambda: self.now)
        for name, seconds in (("step", 1.0), ("validate", 4.0)):
            monkeypatch.setattr(Learner, name, self._taking(name, getattr(Learner, name), seconds))
        save = self._taking("save", training.save_checkpoint, 2.0)
        monkeypatch.setattr(training, "save_checkpoint", save)

    def _taking(self, name: str, work: Callable[..., Any], seconds: float) -> Callable[..., Any]:
        def timed(*given: Any) -> Any:
            if name == self.die_in and self.done[-1:] == ["save"] and len(self.done) > 3:
                raise KeyboardInterrupt
            self.now += seconds
            self.done.append(name)
            return work(*given)

        return timed


@pytest.mark.parametrize("often", [30.0, 5.0])  # seconds between two checkpoints
@pytest.mark.parametrize("seconds", [14.0, 20.5, *range(50, 62), 600.0])
def test_a_wall_clock_budget_is_not_passed_by_more_than_a_step(
    tmp_path: Path, seconds: float, often: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Validations, checkpoints and the last of both are within it."""
    watch = Watch(monkeypatch)
    how = plan(0, seconds=seconds, checkpoint_seconds=often)
    record = run(Line(recipe(valid_every=10, valid_examples=4)), tmp_path, how)
    assert seconds - 1 < watch.now <= seconds + 1
    assert record["wall_seconds"] == pytest.approx(watch.now)
    assert record["seconds"] == record["steps"] == watch.done.count("step")
    assert watch.done[-2:] == ["save", "validate"]
    assert curve(tmp_path)[-1]["step"] == record["steps"]


def test_killed_in_its_last_validation_it_costs_no_more_of_a_wall_clock_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(monkeypatch)
    watch.die_in = "validate"
    with pytest.raises(KeyboardInterrupt):
        run(Line(recipe(valid_every=10, valid_examples=4)), tmp_path, plan(0, seconds=60.0))
    steps, watch.die_in, watch.done = watch.done.count("step"), "", []
    record = run(Line(recipe(valid_every=10, valid_examples=4)), tmp_path, plan(0, seconds=60.0))
    assert record["steps"] == steps and watch.done == ["save", "validate"]
    assert record["wall_seconds"] <= 61 + 2


def test_a_budget_of_less_than_a_step_is_one_step(tmp_path: Path) -> None:
    record = run(Line(), tmp_path, plan(0, seconds=1e-6))
    assert record["steps"] == 1 and curve(tmp_path)[-1]["step"] == 1


# ---------------------------------------------------------------------------- interruption


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run(Eventful(), folder, plan(20))
    return folder


OFTEN = plan(20, checkpoint_seconds=-1.0)  # after each step


def nothing(folder: Path) -> None:
    """The kill left both checkpoints whole."""


def truncate(folder: Path, name: str = "checkpoint.pt") -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(folder: Path) -> None:
    path = folder / "checkpoint.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def kill_between_renames(folder: Path) -> None:
    (folder / "checkpoint.pt").replace(folder / "checkpoint-previous.pt")


def damage_both(folder: Path) -> None:
    truncate(folder)
    truncate(folder, "checkpoint-previous.pt")


# What the kill or the disk did, and how many steps before the last it goes on; None: from 0.
DISTURBANCES = [
    (nothing, 0),
    (kill_between_renames, 0),
    (truncate, 1),
    (flip_a_bit, 1),
    (damage_both, None),
]


@pytest.mark.parametrize("stop_at", [3, 11, 20])
@pytest.mark.parametrize(("disturb", "lost"), DISTURBANCES)
def test_a_killed_training_ends_like_one_never_killed(
    tmp_path: Path,
    undisturbed: Path,
    stop_at: int,
    disturb: Callable[[Path], None],
    lost: int | None,
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Eventful(stop_at), tmp_path, OFTEN)
    disturb(tmp_path)
    events: list[Mapping[str, Any]] = []
    run(Eventful(), tmp_path, OFTEN, events)
    resumed = [e["step"] for e in events if e["event"] == "resumed"]
    assert resumed == ([] if lost is None else [stop_at - 1 - lost])
    assert sha256_of(tmp_path / "model.safetensors") == sha256_of(undisturbed / "model.safetensors")
    assert curve(tmp_path) == curve(undisturbed)


def test_a_damaged_checkpoint_does_not_push_out_the_whole_one(tmp_path: Path) -> None:
    for number in (1, 2):
        save_checkpoint(tmp_path, {"number": number})
    truncate(tmp_path)
    assert load_checkpoint(tmp_path, "cpu") == {"number": 1}
    save_checkpoint(tmp_path, {"number": 3})
    truncate(tmp_path)
    assert load_checkpoint(tmp_path, "cpu") == {"number": 1}


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_kill_while_saving_leaves_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Before the hashes appear, before the old checkpoint moves, before the new one appears."""
    save_checkpoint(tmp_path, {"number": 1})
    moves = itertools.count(1)
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if next(moves) == moment:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "replace", killed)
        save_checkpoint(tmp_path, {"number": 2})
    assert load_checkpoint(tmp_path, "cpu") == {"number": 1}
    save_checkpoint(tmp_path, {"number": 3})
    assert load_checkpoint(tmp_path, "cpu") == {"number": 3}
