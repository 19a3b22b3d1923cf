"""A cell inside a worker: its description turned back into corpus, method and stages. Heavy."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from timbrebench.benchmarks.costs import Costs
from timbrebench.benchmarks.limits import allowance, settle
from timbrebench.benchmarks.references import References
from timbrebench.core import corpora, files
from timbrebench.core.augment import augmented
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Dataset, Method, Stage, Trained
from timbrebench.core.manifest import Entry, code_of_modules
from timbrebench.core.mel import PRESETS
from timbrebench.core.memory import own_data
from timbrebench.core.overlap import AT_ONCE
from timbrebench.core.records import Budget, Corpus, Task
from timbrebench.core.registry import create, registry
from timbrebench.core.signs import alive
from timbrebench.core.splits import apply_split
from timbrebench.core.ways import Allowance, NeedsMore, Way, fitting

_SAMPLING = "sampling"


def open_dataset(data: Mapping[str, Any]) -> Dataset:
    entry = registry().find("dataset", data["name"])
    return create(entry, data["values"], Path(data["root"]) if data["root"] else None)


def corpus_of(data: Mapping[str, Any]) -> Corpus:
    """With the split that was asked for."""
    return apply_split(open_dataset(data).corpus(), data["split"])


class Session:
    """What a worker needs of a cell. ``cell`` is cell.json."""

    def __init__(self, cell: Mapping[str, Any]) -> None:
        self.cell = cell
        self.entry: Entry = registry().find("method", cell["method"])
        self.budget = Budget(**cell["budget"])
        self.device: str = cell["device"]
        self.seed: int = cell["seed"]

    @functools.cached_property
    def corpus(self) -> Corpus:
        return corpus_of(self.cell["dataset_choice"])

    @functools.cached_property
    def training_corpus(self) -> Corpus:
        """With copies of its training tracks, where the run has them."""
        return augmented(self.corpus, self.cell.get("augment", ""))

    @functools.cached_property
    def all_tasks(self) -> list[Task]:
        return [corpora.task_from(t) for t in self.cell["task_records"]]

    @property
    def tasks(self) -> list[Task]:
        """The cell's tasks that the method can do at all."""
        return [t for t in self.all_tasks if not self.not_applicable(t)]

    def not_applicable(self, task: Task) -> str:
        """Why the method cannot do a task by its nature; '' if it can."""
        kinds = self.entry.info.kinds
        return (
            "" if task.kind in kinds else f"{self.entry.name} does {' and '.join(kinds)} tasks only"
        )

    @property
    def training_tasks(self) -> list[Task]:
        """What the method declares stages for; derived tasks add their parts."""
        info = self.entry.info
        tasks = [t for t in self.all_tasks if t.kind in (*info.kinds, *info.trains_for)]
        return list(dict.fromkeys(d for t in tasks for d in t.direct))

    @functools.cached_property
    def method(self) -> Method:
        values = self.cell["options"]
        name = str(values.get("mel", self.entry.info.mel))
        return create(self.entry, values, PRESETS[name] if name else None)

    @functools.cached_property
    def stages(self) -> list[Stage]:
        stages = list(self.method.stages(self.corpus, self.training_tasks))
        names = [s.name for s in stages]
        if len(set(names)) < len(names):
            raise BenchError(f"{self.entry.name} has two stages of one name: {names}.")
        return stages

    @property
    def to_choose(self) -> dict[str, tuple[Any, ...]]:
        """The sampling options that were left open, and the candidates for each."""
        values = self.cell["options"]
        candidates = self.method.candidates(self.entry.info.chosen)
        return {k: v for k, v in candidates.items() if values.get(k) is None}

    def use(self, values: Mapping[str, Any]) -> None:
        """Makes the method sample with other values of these options."""
        self.method.options = replace(self.method.options, **values)

    @functools.cached_property
    def references(self) -> References:
        return References(self.corpus)

    def stage(self, name: str) -> Stage:
        return next(s for s in self.stages if s.name == name)

    @functools.cached_property
    def costs(self) -> Costs:
        return Costs(self.corpus.instruments, self.cell["precision"])

    # ------------------------------------------------------------------ planning

    def plan(self, limits: Mapping[str, int | None]) -> dict[str, Any]:
        """``stages``: each with its share of the budget in whole steps, its way of training within
        the limits of memory, and its key; ``sampling``: slices at once. NeedsMore, of what needs
        most, where anything fits into no way."""
        if limits.get("host") is not None:
            settle()
        allowed = allowance(limits, self.device, own_data())
        ways, lacking = dict[str, dict[str, Any]](), list[NeedsMore]()
        for name, way_of in self._to_fit():
            try:
                ways[name] = way_of(allowed)
            except NeedsMore as error:
                lacking.append(error)
        if lacking:
            raise max(lacking, key=lambda error: error.least)
        return {"sampling": ways.pop(_SAMPLING), "stages": self._stage_plans(ways)}

    def _to_fit(self) -> Iterator[tuple[str, Callable[[Allowance | None], dict[str, Any]]]]:
        """What memory is planned for, by name."""
        for stage in self.stages:
            yield stage.name, functools.partial(self._memory, stage)
        yield _SAMPLING, self._sampling

    def _stage_plans(self, ways: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
        total = sum(s.share for s in self.stages)
        plans: dict[str, dict[str, Any]] = {}
        for stage in self.stages:
            flops = self.costs.flops(stage)
            amount = self.budget.amount * stage.share / total
            batch = stage.recipe.batch_size
            plan = {
                "name": stage.name,
                "depends": {d: plans[d]["key"] for d in stage.depends},
                "flops_per_example": flops,
                "batch_size": batch,
                "share": stage.share / total,
                **resolve_steps(self.budget.kind, amount, batch, flops),
                "memory": ways[stage.name],
            }
            plans[stage.name] = plan | {"key": self._stage_key(stage, plan)}
        return list(plans.values())

    def _memory(self, stage: Stage, allowed: Allowance | None) -> dict[str, Any]:
        """How the steps of a stage are done within what is allowed."""
        batch = stage.recipe.batch_size
        way, planned = Way(batch), None
        if allowed is not None:
            depends, device = [self.stage(name) for name in stage.depends], allowed.device

            def peak(way: Way) -> int:
                return self.costs.training_peak(stage, way, depends, device)

            way, planned = fitting(peak, batch, allowed, stage.name)
        return {**asdict(way), "planned_bytes": planned, "batch_norm": self.costs.batch_norm(stage)}

    def _sampling(self, allowed: Allowance | None) -> dict[str, Any]:
        """Slices that a network is given at once, within what is allowed."""
        if allowed is None or not self.stages:
            return {"slices": AT_ONCE, "planned_bytes": None}

        def peak(way: Way) -> int:
            return self.costs.sampling_peak(self.stages, way.micro_batch)

        way, planned = fitting(peak, AT_ONCE, allowed, _SAMPLING, recompute=False)
        return {"slices": way.micro_batch, "planned_bytes": planned}

    def _stage_key(self, stage: Stage, plan: Mapping[str, Any]) -> str:
        kind = type(stage)
        return files.digest(
            [
                f"{kind.__module__}:{kind.__qualname__}",
                stage.config,
                asdict(stage.recipe),
                [plan["steps"], plan["seconds"]],
                *_seen_by_batch_norm(plan),
                sorted(plan["depends"].values()),
                [self.training_corpus.fingerprint, self.seed, self.cell["precision"]],
                code_of_modules([kind.__module__, *self.entry.info.shares]),
            ]
        )

    # ------------------------------------------------------------------ finished stages

    def trained(self, keys: Mapping[str, str], models: Path) -> dict[str, Trained]:
        """Finished stages by name, their networks in eval mode."""
        return {name: self._load(name, models / key) for name, key in keys.items()}

    def set_up(self, keys: Mapping[str, str], models: Path) -> None:
        """Makes the method ready to sample with finished stages."""
        self.stages  # noqa: B018 (a method may learn from it what its cell is)
        self.method.setup(self.corpus, self.trained(keys, models), self.device)

    def _load(self, name: str, folder: Path) -> Trained:
        from safetensors.torch import load_file

        record = files.read_json(folder / "stage.json")
        weights = folder / "model.safetensors"
        if files.sha256_of(weights) != record["sha256"]:
            raise BenchError(
                f"{weights} is damaged.", hint=f"Remove {folder} and repeat the run that made it."
            )
        module = self.stage(name).build()
        module.load_state_dict(load_file(weights))
        for part in (module, *module.children()):
            part.register_forward_hook(_alive)
        return Trained(module.to(self.device).eval(), record["state"])


def _alive(*_: Any) -> None:
    """At each step of a sampler, whatever its method: one may go on for hours."""
    alive()


def _seen_by_batch_norm(plan: Mapping[str, Any]) -> list[int]:
    """The way of training, where it decides the weights: BatchNorm's statistics are those of what
    is held at once, and are taken twice where it is recomputed."""
    memory = plan["memory"]
    way = [memory["micro_batch"], memory["recompute"]]
    return way if memory["batch_norm"] and way != [plan["batch_size"], False] else []


# A FLOPs budget ends here at the latest: a very small network would spend it for days.
MOST_EXAMPLES = 200_000


def resolve_steps(kind: str, amount: float, batch: int, flops: int) -> dict[str, Any]:
    """A share of the budget as whole steps; ``seconds`` for a wall-clock budget."""
    if kind == "seconds":
        return {"steps": 0, "seconds": amount}
    if kind == "flops":
        kind, amount = "examples", min(amount / max(flops, 1), MOST_EXAMPLES)
    per_step = {"steps": 1, "examples": batch}[kind]
    return {"steps": max(1, int(amount // per_step)), "seconds": None}


def use_threads(count: int) -> None:
    if count:
        torch.set_num_threads(count)
