"""Carries a plan out: jobs in processes, outcomes into the store. Knows plugins by name only."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from timbrebench.benchmarks import environment, forms
from timbrebench.benchmarks.card import TOLD, check_duplicates, check_files, instruments_of
from timbrebench.benchmarks.config import Execution
from timbrebench.benchmarks.finished import damaged, result_of, scored
from timbrebench.benchmarks.forms import read, read_or_none
from timbrebench.benchmarks.jobs import Job, Listener, Outcome
from timbrebench.benchmarks.limits import memory_limits
from timbrebench.benchmarks.orders import Orders
from timbrebench.benchmarks.plan import RIVALS, Cell, Plan, open_corpus
from timbrebench.benchmarks.reading import cell_rows, write_scores
from timbrebench.benchmarks.records import asked_of, dataset_record, describe
from timbrebench.benchmarks.store import SCHEMA, Store, VerifiedModels
from timbrebench.benchmarks.timing import ask_cost, to_time
from timbrebench.benchmarks.tracing import stage_plans
from timbrebench.core import files
from timbrebench.core.errors import BenchError, CorpusChanged
from timbrebench.core.registry import registry


class Executor(Protocol):
    """Takes jobs, yields each with its outcome as it ends."""

    def run(self, jobs: Sequence[Job], listen: Listener) -> Iterator[tuple[Job, Outcome]]: ...

    def cancel(self) -> None: ...


@dataclass(frozen=True)
class Part:
    """Which part of a suite a run is."""

    suite: Mapping[str, Any]  # name, scale, layout: for run.json
    name: str


@dataclass
class Result:
    """How a run ended: the status of each cell, by its key."""

    statuses: dict[str, str] = field(default_factory=dict)
    failed_items: int = 0
    interrupted: bool = False
    uncompared: bool = False  # the declared comparisons could not be made
    # By the same keys: how those ended whose older, good results stay as they are.
    kept: dict[str, Outcome] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0: all well; 1: something failed; 2: nothing could start; 130: interrupted."""
        if self.interrupted:
            return 130
        found = list(self.statuses.values())
        if found and all(s == "impossible" for s in found):
            return 2
        well = all(s in ("ok", "impossible") for s in found) and not self.failed_items
        return 0 if well and not self.uncompared else 1


class Runner:
    """One run into one folder."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        executor: Executor,
        listen: Listener,
        limits: Execution,
        part: Part | None = None,
    ) -> None:
        self.plan, self.store, self.limits, self.part = plan, store, limits, part
        self.executor, self.listen = executor, listen
        self.orders = Orders(plan, store, limits, memory_limits(limits, plan.config.device))
        self.broken: dict[str, Outcome] = {}  # cell key → why it could not be planned
        self.cells = {f"{job}:{c.key}": c for c in plan.cells for job in ("cell", "time")}
        self.untimed: dict[str, Cell] = {}  # whose times were taken beside other jobs
        self.asked = asked_of(plan.metrics)
        self.models = VerifiedModels.of(store)
        self.card: dict[str, Any] = {}  # what was heard of the data
        self.result = Result()
        self.tracing = False

    def run(self) -> Result:
        with self.store.writing():
            self.store.remove_parts()
            self.card = self._known_card()
            self._write_run()
            self._prepare()
            self._survey()
            self._trace()
            if not self.result.interrupted:
                self._work(self._jobs())
            if not self.result.interrupted:
                self._work(self._time_jobs())
            self._finish()
        return self.result

    def _work(self, jobs: Sequence[Job]) -> None:
        if jobs:
            self.store.outdated.touch()
        for job in jobs:
            files.remove_parts(job.folder)
        for job, outcome in self.executor.run(jobs, self.listen):
            self._record(job, outcome)

    def cancel(self) -> None:
        """Stops soon; called by a signal's handler."""
        self.result.interrupted = True
        self.executor.cancel()
        if self.tracing:
            raise KeyboardInterrupt  # its worker is not the executor's

    # ------------------------------------------------------------------ before the cells

    def _possible(self) -> list[Cell]:
        return [c for c in self.plan.cells if not c.impossible]

    def _prepare(self) -> None:
        if not self.plan.unprepared or not self._possible():
            return
        data = dataset_record(self.plan.cells[0])
        folder = self.store.root / "jobs" / "prepare"
        job = self.orders.job("prepare", "prepare", f"prepare {data['name']}", folder, data)
        ended = list(self.executor.run([job], self.listen))
        outcome = ended[0][1] if ended else Outcome("interrupted")
        self.listen(job, {"event": "ended", "status": outcome.status, "reason": outcome.reason})
        if outcome.status != "ok" and not self.result.interrupted:
            raise BenchError(f"preparing {data['name']} failed: {outcome.reason}")

    def _survey(self) -> None:
        """Listens to the stems of the run's instruments, once for a corpus: a sound that is in two
        splits would be tested on what was trained on."""
        cells = self._possible()
        if not cells:
            return
        asked = instruments_of(task for cell in cells for task in cell.tasks)
        known = self.card.get("stems", {})
        if not known.keys() >= set(asked):
            self.card = self._heard(cells[0], sorted({*known, *asked}))
            self._check_damaged()
        if self.limits.allow_duplicates or self.result.interrupted:
            return
        check_duplicates(self.card, cells[0].dataset.label)
        if "failed" in self.card:
            check_files(self.plan.corpus, asked, cells[0].dataset.label)

    def _check_damaged(self) -> None:
        """CorpusChanged where files cannot be read, and the corpus is now another without them."""
        unreadable = self.card.get("unreadable", {})
        if not unreadable:
            return
        corpus = open_corpus(self.plan.config, registry())
        if corpus.fingerprint != self.plan.corpus.fingerprint:
            told = [f"{stem}: {why}" for stem, why in unreadable.items()]
            more = f" and {len(told) - TOLD} more" if len(told) > TOLD else ""
            raise CorpusChanged(
                f"{corpus.name} is used without what cannot be read "
                f"({'; '.join(told[:TOLD])}{more}).",
                hint="The same command goes on without it.",
            )

    def _known_card(self) -> dict[str, Any]:
        """Of the same corpus, by another run into the folder or another part of a suite."""
        old = self.store.read_run() if self.store.run_file.exists() else {}
        labels = {cell.dataset.label for cell in self.plan.cells}
        known = [old.get("corpora", {}).get(label, {}) for label in labels]
        fingerprint = self.plan.corpus.fingerprint
        return next((c.get("heard", {}) for c in known if c.get("fingerprint") == fingerprint), {})

    def _heard(self, cell: Cell, instruments: list[str]) -> dict[str, Any]:
        data = {"dataset": dataset_record(cell), "instruments": instruments}
        folder = self.store.root / "jobs" / "survey"
        job = self.orders.job("survey", "survey", f"listen to {cell.dataset.name}", folder, data)
        ended = list(self.executor.run([job], self.listen))
        outcome = ended[0][1] if ended else Outcome("interrupted")
        self.listen(job, {"event": "ended", "status": outcome.status, "reason": outcome.reason})
        if outcome.status != "ok":  # no result hangs on it
            return {"failed": outcome.reason or outcome.status}
        return outcome.answer["card"]

    def _trace(self) -> None:
        """Stage plans of the training cells; one that cannot be planned has failed."""
        for key, answer in self._answers().items():
            if "stages" in answer:
                self.orders.stages[key] = answer["stages"]
                self.orders.sampling[key] = answer["sampling"]
                continue
            status, log = answer.get("status", "failed"), answer.get("log_tail", "")
            self.broken[key] = Outcome(status, {}, "plan", answer["error"], log)

    def _answers(self) -> Mapping[str, dict[str, Any]]:
        """What tracing says of each; nothing where it is interrupted."""
        self.tracing = True
        try:
            return {} if self.result.interrupted else stage_plans(self.plan, self.orders.memory)
        except KeyboardInterrupt:
            return {}
        finally:
            self.tracing = False

    # ------------------------------------------------------------------ jobs

    def _jobs(self) -> list[Job]:
        """A training job for each stage that is not done, an evaluation for each cell."""
        jobs: dict[str, Job] = {}
        for cell in self._possible():
            if cell.key in self.broken:
                self._write_result(cell, self.broken[cell.key])
                continue
            record = describe(cell, self.plan.config)
            self._write_cell(cell, record)
            stages = self.orders.stages.get(cell.key, [])
            lacking = [s for s in stages if not self.models.done(self.store, s["key"])]
            for stage in lacking:
                jobs.setdefault(stage["key"], self.orders.train(cell, record, stage))
            if not lacking and (result := scored(self.store, cell.key, self.asked)):
                self._note(cell, "ok", result)
            else:
                jobs[f"cell:{cell.key}"] = self.orders.evaluate(cell, record)
        self.models.keep(self.store)
        return list(jobs.values())

    def _time_jobs(self) -> list[Job]:
        """For each cell whose cost is asked for and whose times were taken beside other jobs: its
        steps, then its items, with nothing beside them."""
        if not self.untimed or not ask_cost(self.plan.metrics):
            return []
        return [job for cell in self.untimed.values() for job in self.orders.times(cell)]

    def _stands(self, cell: Cell) -> bool:
        """Whether its older result is good, and all that it was scored from and with is there:
        what a later plan or a new metric comes to takes nothing of it back."""
        old = result_of(self.store, cell.key)
        return old.get("status") == "ok" and not damaged(self.store, cell.key, old)

    # ------------------------------------------------------------------ outcomes

    def _record(self, job: Job, outcome: Outcome) -> None:
        if job.kind == "evaluate":
            self._write_result(self.cells[job.key], outcome)
        elif job.kind == "time":
            self._write_times(self.cells[job.key], outcome)
        self.listen(job, {"event": "ended", "status": outcome.status, "reason": outcome.reason})

    def _write_result(self, cell: Cell, outcome: Outcome) -> None:
        answer = outcome.answer
        self._note(cell, outcome.status, answer)
        if outcome.status != "ok" and self._stands(cell):
            self.result.kept[cell.key] = outcome
            return  # it has the scores of other metrics; those asked for are made next time
        result = {
            "status": outcome.status,
            "phase": outcome.phase,
            "reason": outcome.reason,
            "log_tail": outcome.log_tail,
            **_answered(answer),
            "metrics": self.asked,
        }
        folder = self.store.cell(cell.key)
        if not (folder / "cell.json").exists():
            self._write_cell(cell, describe(cell, self.plan.config))
        self._write_if_other(folder / "result.json", result)
        if outcome.status == "ok":
            (folder / "result.json").touch()  # newer than what it tells of, also where it stays

    def _write_times(self, cell: Cell, outcome: Outcome) -> None:
        """The figures that were taken alone. Where that failed the cell stays as it is, and says
        why; where it was stopped the next run does it."""
        folder, result = self.store.cell(cell.key), result_of(self.store, cell.key)
        if outcome.status == "ok":
            self._write_if_other(folder / "result.json", result | _answered(outcome.answer))
        elif outcome.status in ("failed", "oom", "timeout"):
            why = outcome.reason or outcome.status
            known = result["outcome"] | {"timed": {"failed": f"{outcome.status}: {why}"}}
            path = folder / "outcome.json"
            files.write_json(path, known)
            there = result.get("files", {}) | {path.name: path.stat().st_size}
            told = result | {"outcome": known, "files": there}
            self._write_if_other(folder / "result.json", told)

    def _note(self, cell: Cell, status: str, answer: Mapping[str, Any]) -> None:
        if to_time(status, answer.get("outcome", {})):
            self.untimed[cell.key] = cell
        self.result.statuses[cell.key] = status
        self.result.failed_items += answer.get("failed_items", 0)

    def _write_cell(self, cell: Cell, record: Mapping[str, Any]) -> None:
        """cell.json names the stages before they are trained: a killed run's are in use."""
        stages = list(self.orders.keys(cell).values())
        path = self.store.cell(cell.key) / "cell.json"
        self._write_if_other(path, {**record, "stages": stages})

    def _write_if_other(self, path: Path, value: Any) -> None:
        """Of a finished grid thousands of files stay as they are, and so do its scores."""
        if read_or_none(path) != value:
            self.store.outdated.touch()  # first: a kill may come between the two
            files.write_json(path, value)

    def _finish(self) -> None:
        for cell in self.plan.cells:
            if cell.impossible:
                self._write_result(cell, Outcome("impossible", {}, "plan", cell.impossible))
            elif cell.key not in self.result.statuses:
                self._write_result(cell, Outcome("interrupted", reason="stopped by the user"))
        self._write_run()
        if self._shown():
            return
        keys = dict.fromkeys(files.read_json(self.store.run_file)["cells"].values())
        name = self.store.root.name
        write_scores(self.store, (row for key in keys for row in cell_rows(self.store, name, key)))
        self._compare(list(keys))
        if not (self.result.interrupted or self.result.uncompared):
            self.store.outdated.unlink(missing_ok=True)

    def _shown(self) -> bool:
        """Whether the folder's scores are those of its cells, also after a kill."""
        both = [self.store.root / f"scores.{form}" for form in ("csv", "jsonl")]
        there = all(path.is_file() for path in both) and not self.store.outdated.exists()
        known = self.store.comparisons
        return there and (not known.exists() or read(known, forms.COMPARISONS) is not None)

    def _compare(self, keys: Sequence[str]) -> None:
        """The declared comparisons of all cells that the folder shows, again where a score has
        changed. Nothing else hangs on them. What cannot be read of them goes."""
        known = read(self.store.comparisons, forms.COMPARISONS)
        if known is None:
            self.store.comparisons.unlink(missing_ok=True)
        results = {key: result_of(self.store, key) for key in keys}
        made = [k for k, result in results.items() if result.get("status") == "ok"]
        cells = [read(self.store.cell(key) / "cell.json", forms.CELL) or {} for key in made]
        rivals = any(cell.get("label") in RIVALS for cell in cells)
        if self.result.interrupted or not rivals or all(cell.get("control") for cell in cells):
            return
        basis = files.digest([[key, *results[key].get("scores", [])] for key in made])
        if known and known["basis"] == basis:
            return
        self.store.comparisons.unlink(missing_ok=True)  # whatever becomes of the new ones
        folder = self.store.root / "jobs" / "compare"
        data = {"root": str(self.store.root)}
        job = self.orders.job("compare", "compare", "comparisons", folder, data)
        for _, outcome in self.executor.run([job], self.listen):
            self.listen(job, {"event": "ended", "status": outcome.status, "reason": outcome.reason})
            self.result.uncompared = outcome.status != "ok"
            if outcome.status == "ok":
                rows = outcome.answer["comparisons"]
                files.write_json(self.store.comparisons, {"basis": basis, "rows": rows})

    # ------------------------------------------------------------------ records

    def _write_run(self) -> None:
        """run.json; the cells that it shows are the newest of each place in the table."""
        old = self.store.read_run() if self.store.run_file.exists() else {}
        place = f"{self.part.name}|" if self.part else ""  # parts of a suite may share the others
        cells = old.get("cells", {}) | {place + c.place: c.key for c in self.plan.cells}
        if cells != old.get("cells"):
            self.store.outdated.touch()
        heard = {"heard": self.card} if self.card else {}
        corpus = environment.describe_corpus(self.plan.corpus) | heard
        run = {
            "schema": SCHEMA,
            "config": dataclasses.asdict(self.plan.config),
            "environment": environment.describe(),
            "corpus": corpus,
            "corpora": old.get("corpora", {}) | {c.dataset.label: corpus for c in self.plan.cells},
            "suite": self._suite(old.get("suite") or {}, cells),
            "cells": cells,
        }
        if json.loads(json.dumps(run)) != old:
            files.write_json(self.store.run_file, run)

    def _suite(self, old: Mapping[str, Any], cells: Mapping[str, str]) -> Mapping[str, Any]:
        """What run.json holds of a suite: which, its layout, and the cells of its parts."""
        if self.part is None:
            return old
        parts = old.get("parts", {})
        new = list(dict.fromkeys(c.key for c in self.plan.cells))
        shown = [k for k in parts.get(self.part.name, []) if k in cells.values() and k not in new]
        own = [*shown, *new]  # of two cells of one label the last is the one that is meant
        return {**self.part.suite, "parts": parts | {self.part.name: own}}


def _answered(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What a result keeps of the answer of its cell's worker."""
    return {
        "outcome": answer.get("outcome", {}),
        "failed_items": answer.get("failed_items", 0),
        "scores": answer.get("scores", []),
        **({"files": answer["files"]} if "files" in answer else {}),
    }
