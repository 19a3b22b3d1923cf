"""``bench tune``: options chosen by Optuna. Each trial is a cell of one run folder.

A trial is a function of the search and of the trials finished before it: the sampler is seeded by
its number, and the journal receives it once it is finished. A trial that was killed is asked for
again and gets the same options; what it had done lies in the store.

Light: Optuna is imported when a study begins.
"""

import dataclasses
import importlib.util
import shlex
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from timbrebench.benchmarks.plan import Plan
from timbrebench.benchmarks.runner import Runner
from timbrebench.benchmarks.search import Search, as_options, as_word, distributions
from timbrebench.benchmarks.store import Store
from timbrebench.benchmarks.trials import TrialFailed, cell_seconds, cell_value, importance, record
from timbrebench.core import files
from timbrebench.core.errors import BenchError
from timbrebench.core.seeds import seed_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

RUNG = 4  # a trial first trains with one RUNG-th of the budget
# Trials that have to end well before the median of their values at the rung can prune another.
# Successive halving would take its best so far for the only one worth going on.
PRUNES_AFTER = 2
# Trials drawn at random before TPE models what they found. Optuna's own ten are a whole search.
RANDOM_TRIALS = 4


class Interrupted(Exception):
    """The user stopped the work."""


def need_optuna() -> None:
    """An error in words where Optuna is not installed."""
    if importlib.util.find_spec("optuna") is None:
        raise BenchError(
            "bench tune needs Optuna, which is not installed.",
            hint="pip install 'timbrebench[tune]'",
        )


class Tuner:
    """One study in one run folder. ``start`` makes the runner of a plan into that folder."""

    def __init__(
        self,
        search: Search,
        folder: Path,
        start: Callable[[Plan], Runner],
        tell: Callable[[Mapping[str, Any]], None] = lambda trial: None,
    ) -> None:
        self.search, self.store, self.start, self.tell = search, Store(folder), start, tell
        self.runner: Runner | None = None
        self.stopped = False

    def run(self, trials: int) -> dict[str, Any]:
        """Goes on until ``trials`` are finished or ``cancel`` is called; gives tuning.json."""
        plan = self.search.plan()
        if reason := plan.cells[0].impossible:
            raise BenchError(f"{self.search.entry.name} cannot be tuned here: {reason}.")
        with Store(self.store.root / "tuning").writing():
            study = self._open(self.search.name(plan))
            report = self._write(study, plan)
            while not self.stopped and len(study.trials) < trials:
                try:
                    study.add_trial(self._next(study.trials))
                except Interrupted:
                    break
                report = self._write(study, plan)
                self.tell(report["trials"][-1])
        return report

    def cancel(self) -> None:
        self.stopped = True
        if self.runner:
            self.runner.cancel()

    # ------------------------------------------------------------------ the study

    def _open(self, name: str) -> "Study":
        """The journal's study of this name. It holds finished trials only."""
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path = self.store.root / "tuning" / "journal.jsonl"
        _mend(path)
        storage = JournalStorage(JournalFileBackend(str(path)))
        return optuna.create_study(
            storage=storage, study_name=name, direction=self._direction, load_if_exists=True
        )

    @property
    def _direction(self) -> Literal["minimize", "maximize"]:
        return "maximize" if self.search.objective.higher_is_better else "minimize"

    def _next(self, finished: "Sequence[FrozenTrial]") -> "FrozenTrial":
        """The trial that follows the finished ones, carried out."""
        import optuna
        from optuna.trial import TrialState

        pruner = optuna.pruners.MedianPruner(n_startup_trials=PRUNES_AFTER)
        study = optuna.create_study(
            sampler=self._sampler(len(finished)), pruner=pruner, direction=self._direction
        )
        study.add_trials(finished)
        trial = study.ask(distributions(self.search))
        options = as_options(self.search, trial.params)
        trial.set_user_attr("options", options)
        try:
            if self.search.prune:
                trial.report(self._value(trial, options, RUNG), step=1)
            if self.search.prune and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, self._value(trial, options))
        except TrialFailed as error:
            trial.set_user_attr("reason", str(error))
            study.tell(trial, state=TrialState.FAIL)
        return study.trials[-1]

    def _sampler(self, number: int) -> "BaseSampler":
        import optuna

        with warnings.catch_warnings(action="ignore"):  # that 'multivariate' was experimental
            return optuna.samplers.TPESampler(
                n_startup_trials=RANDOM_TRIALS,
                multivariate=True,  # a good value of one option depends on the others'
                seed=seed_of("tune", self.search.seed, number) % 2**32,
            )

    def _value(self, trial: "Trial", options: Mapping[str, Any], part: int = 1) -> float:
        """The objective of the cell with these options, which is run unless it is done."""
        plan = self.search.plan(options, part)
        self.runner = self.start(plan)
        if self.stopped or self.runner.run().interrupted:
            raise Interrupted
        [cell] = plan.cells
        known = trial.user_attrs
        seconds = known.get("seconds", 0.0) + cell_seconds(self.store, cell.key)
        trial.set_user_attr("seconds", seconds)
        trial.set_user_attr("cells", [*known.get("cells", []), cell.key])
        return cell_value(self.store, cell.key, self.search.objective.name)

    # ------------------------------------------------------------------ what is told

    def _write(self, study: "Study", plan: Plan) -> dict[str, Any]:
        """tuning.json, written anew with every finished trial."""
        search, trials = self.search, [record(t) for t in study.trials]
        report = {
            "method": search.config.methods[0],
            "dataset": search.config.dataset,
            "tasks": [t.name for t in plan.cells[0].tasks],
            "split": search.config.score_on,
            "seed": search.seed,
            "budget": dataclasses.asdict(search.config.spent),
            "objective": search.objective.name,
            "higher_is_better": search.objective.higher_is_better,
            "study": study.study_name,
            "trials": trials,
            "best": self._best(trials),
            "importance": importance(study),
        }
        files.write_json(self.store.root / "tuning.json", report)
        return report

    def _best(self, trials: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        """The best of the trials that had the whole budget; the first of equals."""
        complete = [t for t in trials if t["state"] == "complete"]
        if not complete:
            return None
        better = max if self.search.objective.higher_is_better else min
        best = better(complete, key=lambda trial: trial["value"])
        return {**best, "words": self._words(best["options"])}

    def _words(self, options: Mapping[str, Any]) -> str:
        """``-o …`` for all that was set: what the user gave, and what was searched."""
        owner = self.search.entry.name
        given = {**self.search.fixed, **options}.items()
        return " ".join(f"-o {shlex.quote(f'{owner}.{k}={as_word(v)}')}" for k, v in given)


def _mend(journal: Path) -> None:
    """Cuts off a line that was left half written, which would spoil the next one."""
    if journal.exists() and not (text := journal.read_bytes()).endswith(b"\n"):
        files.write_text(journal, text[: text.rfind(b"\n") + 1].decode())
