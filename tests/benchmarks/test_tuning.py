"""The tuner with real Optuna and an executor that leaves scores of a known function: what it tries,
prunes, keeps and goes on from."""

import dataclasses
import json
import math
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest

from timbrebench.benchmarks import runner as runners
from timbrebench.benchmarks.config import Execution, RunConfig
from timbrebench.benchmarks.jobs import Job, Outcome
from timbrebench.benchmarks.plan import Plan
from timbrebench.benchmarks.runner import Listener, Runner
from timbrebench.benchmarks.search import as_word, make_search
from timbrebench.benchmarks.store import Store
from timbrebench.benchmarks.trials import importance
from timbrebench.benchmarks.tuning import PRUNES_AFTER, Tuner, need_optuna
from timbrebench.core import files
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import MethodInfo, Span
from timbrebench.core.manifest import Entry
from timbrebench.core.options import describe, option
from timbrebench.core.records import Budget
from timbrebench.core.registry import Registry, registry

STEPS = 40


@dataclasses.dataclass(frozen=True)
class Options:
    lr: float = option(1e-2, "learning rate", low=0)
    depth: int = option(1, "blocks", low=1)
    widths: tuple[int, ...] = option((8,), "channels")
    eta: float = option(0.0, "noise", affects="sampling")


SEARCH: Mapping[str, Span | tuple[Any, ...]] = {
    "lr": Span(1e-5, 1e-1, log=True),
    "depth": Span(1, 6),
    "widths": ((8,), (8, 16), (8, 16, 32)),
}


def entry(name: str, **fields: Any) -> Entry:
    """A stranger's method that nothing can load."""
    info = MethodInfo(name, "", "nowhere:Nothing", Options, **fields)
    return Entry("method", info, describe(Options), "nowhere:Options", "stranger", "1.0", "code")


METHODS = (
    entry("tunable", search=SEARCH),
    entry("turned", search=dict(reversed(SEARCH.items()))),
    entry("sampled", search={"eta": Span(0, 1)}),
    entry("untrained", search={"lr": Span(0.1, 1)}, trains=False),
    entry("mistaken", search={"lrr": Span(0.1, 1)}),
    entry("backwards", search={"lr": Span(2, 1)}),
    entry("settled"),
)
REGISTRY = Registry((*registry().entries, *METHODS))


def bowl(cell: Mapping[str, Any]) -> float:
    """Near 0 at a learning rate of 1e-3 and a depth of 2; one more at a quarter of the steps."""
    options = cell["options"]
    width = 0.01 * len(options["widths"]) + options["eta"]
    value = (math.log10(options["lr"]) + 3) ** 2 + 0.05 * (options["depth"] - 2) ** 2 + width
    return value + (cell["budget"]["amount"] < STEPS)


class Died(BaseException):
    """The process, at once."""


class Leaves:
    """Leaves what an evaluation leaves: rows of the asked measure with the values of ``scored``;
    ``ends`` says how the n-th job ends instead, or raises."""

    def __init__(self, scored: Callable[[Mapping[str, Any]], Any] = bowl, **row: Any) -> None:
        self.scored, self.row, self.ran = scored, row, list[Job]()
        self.ends: dict[int, Any] = {}

    def run(self, jobs: Sequence[Job], listen: Listener) -> Iterator[tuple[Job, Outcome]]:
        for job in jobs:
            if job.kind == "survey":
                yield job, Outcome("ok", {"card": {}})
                continue
            self.ran.append(job)
            end = self.ends.get(len(self.ran) - 1)
            if callable(end):
                end()
                return
            yield job, end or self._evaluated(job)

    def cancel(self) -> None:
        pass

    def _evaluated(self, job: Job) -> Outcome:
        [metric] = job.data["metrics"]
        measure = {"runtime": "examples_per_second"}.get(metric["name"], metric["name"])
        common = {"metric": measure, "item": "", "status": "ok", "reason": "", **self.row}
        rows = [
            {**common, "task": task, "value": self.scored(job.data["cell"]) + offset}
            for offset, task in enumerate(job.data["cell"]["tasks"])
        ]
        files.write_json(job.folder / "scores" / "rows.json", rows)
        files.write_json(job.folder / "estimates.json", {"items": []})
        outcome = {"train_seconds": 2.0, "infer_seconds": 1.0, "vocoder_seconds": None}
        return Outcome("ok", {"scores": ["rows.json"], "outcome": outcome})


@pytest.fixture(autouse=True)
def nothing_to_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The methods exist in name only: they have no stages. To describe the machine takes time."""
    monkeypatch.setattr(runners, "stage_plans", lambda plan, limits: {})
    monkeypatch.setattr(runners.environment, "describe", dict)


@pytest.fixture
def tune(tmp_path: Path, config: Callable[..., RunConfig]):
    """Tunes a method into a folder; gives the report and the executor."""

    def go(
        trials: int,
        leaves: Leaves | None = None,
        *,
        method: str = "tunable",
        out: str = "run",
        objective: str = "mel_l1",
        prune: bool = True,
        **fields: Any,
    ) -> tuple[dict[str, Any], Leaves]:
        leaves = leaves or Leaves()
        fields = {"budget": Budget("steps", STEPS), **fields}
        search = make_search(config(method, **fields), REGISTRY, objective, prune)
        store = Store(tmp_path / out)

        def start(plan: Plan) -> Runner:
            return Runner(plan, store, leaves, lambda job, event: None, Execution())

        tuner = Tuner(search, store.root, start)
        stop = next((i for i, end in leaves.ends.items() if end == "stop"), None)
        if stop is not None:
            leaves.ends[stop] = tuner.cancel
        return tuner.run(trials), leaves

    return go


def values(report: Mapping[str, Any]) -> list[Any]:
    return [t["value"] for t in report["trials"]]


# ---------------------------------------------------------------------------- what is tried


def test_each_trial_has_the_value_of_its_options_and_the_best_is_the_least(tune) -> None:
    report, leaves = tune(6, prune=False)
    for trial, job in zip(report["trials"], leaves.ran, strict=True):
        cell = job.data["cell"]
        assert trial["state"] == "complete"
        assert trial["value"] == pytest.approx(bowl(cell))
        assert {k: cell["options"][k] for k in SEARCH} == trial["options"]
        assert cell["score_on"] == report["split"] == "valid"
        assert trial["seconds"] == 3.0
    assert report["best"]["value"] == min(values(report))
    assert len({str(t["options"]) for t in report["trials"]}) == 6


def test_numbers_are_what_the_label_shows(tune) -> None:
    report, leaves = tune(3, prune=False)
    for trial, job in zip(report["trials"], leaves.ran, strict=True):
        words = "; ".join(f"{k}={as_word(v)}" for k, v in trial["options"].items())
        assert job.data["cell"]["label"] == f"tunable[{words}]"
        lr, depth = trial["options"]["lr"], trial["options"]["depth"]
        assert float(f"{lr:.3g}") == lr and 1e-5 <= lr <= 1e-1
        assert isinstance(depth, int) and 1 <= depth <= 6


def test_the_best_can_be_pasted_into_a_run(tune, config) -> None:
    from timbrebench.cli.run_options import merge_options

    best = tune(2, options={"tunable": {"eta": "0.5"}})[0]["best"]
    words = tuple(best["words"].removeprefix("-o ").split(" -o "))
    given = config(options=merge_options({}, words)).options["tunable"]
    assert given == {"eta": "0.5", **{k: as_word(v) for k, v in best["options"].items()}}


def test_it_learns_from_what_it_tried(tune) -> None:
    found = values(tune(20, prune=False)[0])
    assert statistics.median(found[12:]) < statistics.median(found[:4])


def test_the_value_is_the_mean_over_tasks(tune) -> None:
    report, leaves = tune(1, prune=False, tasks=("bell:bow", "bow:bell", "reed:bow"))
    assert values(report) == [pytest.approx(bowl(leaves.ran[0].data["cell"]) + 1)]


def test_higher_may_be_better(tune) -> None:
    report, _ = tune(3, prune=False, objective="examples_per_second")
    assert report["best"]["value"] == max(values(report))


def test_a_seed_is_a_search(tune) -> None:
    one, again, other = (tune(2, out=o, seeds=(s,))[0] for o, s in (("a", 0), ("b", 0), ("c", 1)))
    assert one == again
    assert values(one) != values(other)


def test_the_order_of_the_search_changes_nothing(tune) -> None:
    """A manifest that was read from the cache has another order than one that was not."""
    one, other = (tune(3, method=method, out=method)[0] for method in ("tunable", "turned"))
    assert [t["options"] for t in one["trials"]] == [t["options"] for t in other["trials"]]


def test_what_the_user_gives_is_not_searched(tune) -> None:
    report, leaves = tune(2, method="tunable[depth=5]", options={"tunable": {"lr": "0.01"}})
    assert {tuple(t["options"]) for t in report["trials"]} == {("widths",)}
    for job in leaves.ran:
        assert (job.data["cell"]["options"]["depth"], job.data["cell"]["options"]["lr"]) == (
            5,
            0.01,
        )


# ---------------------------------------------------------------------------- pruning


def test_a_trial_worse_than_the_median_at_the_quarter_is_pruned(tune) -> None:
    report, leaves = tune(10)
    seen: list[float] = []  # values at the rung of completed trials
    for trial in report["trials"]:
        rung = trial["value_at_rung"]
        pruned = len(seen) >= PRUNES_AFTER and rung > statistics.median(seen)
        assert trial["state"] == ("pruned" if pruned else "complete")
        assert (trial["value"] is None) == pruned
        assert len(trial["cells"]) == (1 if pruned else 2)
        seen += [] if pruned else [rung]
    assert {"pruned", "complete"} == {t["state"] for t in report["trials"]}
    assert report["best"]["state"] == "complete"
    amounts = [job.data["cell"]["budget"]["amount"] for job in leaves.ran]
    assert amounts[:4] == [STEPS / 4, STEPS, STEPS / 4, STEPS]
    assert amounts.count(STEPS) == len(seen)


@pytest.mark.parametrize("method", ["sampled", "untrained"])
def test_nothing_is_pruned_where_a_smaller_budget_tells_nothing(tune, method: str) -> None:
    _, leaves = tune(2, method=method)
    assert {job.data["cell"]["budget"]["amount"] for job in leaves.ran} == {STEPS}


# ---------------------------------------------------------------------------- going on


def test_a_search_killed_anywhere_ends_as_one_never_killed(tune) -> None:
    whole, leaves = tune(4, out="whole")

    def die() -> None:
        raise Died

    for number in range(len(leaves.ran)):
        first, second = Leaves(), Leaves()
        first.ends[number] = die
        with pytest.raises(Died):
            tune(4, first, out=f"killed-{number}")
        report, _ = tune(4, second, out=f"killed-{number}")
        assert report == whole
        ran = [job.key for job in first.ran[:-1] + second.ran]
        assert ran == [job.key for job in leaves.ran], "a finished cell was run again"


def test_a_stopped_search_keeps_what_is_finished_and_goes_on(tune) -> None:
    first = Leaves()
    first.ends[3] = "stop"
    report, _ = tune(5, first)
    assert len(report["trials"]) == 1
    assert tune(5)[0] == tune(5, out="whole")[0]


def test_more_trials_are_added(tune) -> None:
    tune(3)
    report, leaves = tune(5)
    assert report == tune(5, out="whole")[0]
    assert tune(5)[1].ran == []
    assert len(leaves.ran) < 5 * 2


def test_another_question_is_another_study_of_the_folder(tune, tmp_path: Path) -> None:
    first = tune(3)[0]
    other, leaves = tune(3, budget=Budget("steps", 80))
    assert other["study"] != first["study"] and leaves.ran
    again, leaves = tune(3)
    assert again == first and leaves.ran == []
    assert json.loads((tmp_path / "run" / "tuning.json").read_text()) == first


def test_a_torn_line_of_the_journal_costs_one_trial(tune, tmp_path: Path) -> None:
    whole = tune(4)[0]
    journal = tmp_path / "run" / "tuning" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    report, leaves = tune(4)
    assert report == whole and leaves.ran == []  # its cells were there
    assert tune(4)[0] == whole


# ---------------------------------------------------------------------------- failures


def test_a_failed_cell_is_a_failed_trial_with_its_reason(tune) -> None:
    leaves = Leaves()
    leaves.ends[1] = Outcome("oom", {}, "train", "out of memory")
    leaves.ends[2] = Outcome("ok", {"scores": [], "failed_items": 1}, reason="1 of 2 items failed")
    report, _ = tune(4, leaves, prune=False)
    states = [(t["state"], t["value"] is None, t["reason"]) for t in report["trials"]]
    assert states[1] == ("failed", True, "oom (train): out of memory")
    assert states[2] == ("failed", True, "1 of 2 items failed")
    assert [s[0] for s in states] == ["complete", "failed", "failed", "complete"]
    assert report["best"]["number"] in (0, 3)


def test_a_failed_score_is_a_failed_trial(tune) -> None:
    report, _ = tune(2, Leaves(status="failed", reason="silence"))
    assert {t["reason"] for t in report["trials"]} == {"mel_l1 of bell:bow: silence"}
    assert (report["best"], report["importance"]) == (None, {})


@pytest.mark.parametrize(
    ("status", "told"), [("missing", "cannot be measured"), ("not_applicable", "no value here")]
)
def test_what_no_trial_could_measure_ends_the_search(
    tune, tmp_path: Path, status: str, told: str
) -> None:
    with pytest.raises(BenchError, match=f"mel_l1.*{told}.*bench data"):
        tune(2, Leaves(status=status, reason="run: bench data weights"))
    assert json.loads((tmp_path / "run" / "tuning.json").read_text())["trials"] == []


# ---------------------------------------------------------------------------- importance


def test_importance_is_of_the_option_that_decides() -> None:
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda t: t.suggest_float("lr", -2, 2) ** 2 + t.suggest_int("depth", 1, 6), 1)
    assert importance(study) == {}
    study.optimize(
        lambda t: 9 * t.suggest_float("lr", -2, 2) ** 2 + 0.1 * t.suggest_int("depth", 1, 6), 60
    )
    shares = importance(study)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["lr"] > 5 * shares["depth"]


# ---------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("method", "fields", "told"),
    [
        ("settled", {}, "'settled' declares no options to search.*tunable"),
        ("untrained[lr=1]", {}, "every option.*lr"),
        ("tunable,sampled", {}, "unknown method"),
        ("mistaken", {}, "'mistaken' searches what is no option of it: lrr"),
        ("backwards", {}, "backwards.lr cannot be searched"),
        ("tunable", {"objective": "mel_l2"}, "measure 'mel_l2'.*mel_l1"),
        ("tunable", {"objective": "level_error_db"}, "neither a high nor a low level_error_db"),
        ("tunable", {"tasks": ("generate:bow",)}, "cannot be tuned here.*transfer tasks only"),
        ("tunable", {"split": "test=tune4,tune5"}, "valid"),
    ],
)
def test_mistakes_are_told(tune, method: str, fields: dict[str, Any], told: str) -> None:
    with pytest.raises(BenchError, match=told):
        tune(1, method=method, **fields)


def test_one_method_at_a_time(config) -> None:
    with pytest.raises(BenchError, match="one method"):
        make_search(config("tunable", "sampled"), REGISTRY)


def test_two_searches_into_one_folder_are_refused(tune, tmp_path: Path) -> None:
    with (
        Store(tmp_path / "run" / "tuning").writing(),
        pytest.raises(BenchError, match="another bench run"),
    ):
        tune(1)


def test_without_optuna_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    need_optuna()
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(BenchError, match=r"pip install 'timbrebench\[tune\]'"):
        need_optuna()
