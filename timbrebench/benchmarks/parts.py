"""Several plans into one folder, one after the other: the parts of a suite."""

from collections.abc import Mapping
from typing import Any

from timbrebench.benchmarks.config import Execution
from timbrebench.benchmarks.plan import Plan
from timbrebench.benchmarks.runner import Executor, Listener, Part, Result, Runner
from timbrebench.benchmarks.store import Store
from timbrebench.core.errors import BenchError


class PartsRunner:
    """Runs the parts of a suite, by name; ``suite`` is what run.json holds of it."""

    def __init__(
        self,
        suite: Mapping[str, Any],
        plans: Mapping[str, Plan],
        store: Store,
        executor: Executor,
        listen: Listener,
        limits: Execution,
    ) -> None:
        self.suite, self.store, self.executor = suite, store, executor
        self.runners = [
            Runner(plan, store, executor, listen, limits, Part(suite, name))
            for name, plan in plans.items()
        ]
        self.interrupted = False

    def run(self) -> Result:
        """What all parts together came to; an interruption ends them all."""
        self._check_folder()
        whole = Result()
        for runner in self.runners:
            if self.interrupted:
                break
            result = runner.run()
            whole.statuses |= result.statuses
            whole.kept |= result.kept
            whole.failed_items += result.failed_items
            whole.uncompared |= result.uncompared
        whole.interrupted = self.interrupted
        return whole

    def cancel(self) -> None:
        self.interrupted = True
        for runner in self.runners:
            runner.result.interrupted = True
        for runner in self.runners:
            runner.cancel()

    def _check_folder(self) -> None:
        """Two suites in one folder would show each other's cells."""
        if not self.store.run_file.exists():
            return
        there = self.store.read_run().get("suite") or self.suite
        if (there["name"], there["scale"]) != (self.suite["name"], self.suite["scale"]):
            raise BenchError(
                f"{self.store.root} holds the suite {there['name']} at scale {there['scale']}.",
                hint="Name another folder: --out DIR",
            )
