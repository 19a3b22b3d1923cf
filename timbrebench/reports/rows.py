"""The tidy rows of several runs as one CSV."""

from collections.abc import Sequence

from timbrebench.core import results


def to_csv(runs: Sequence[results.RunRecord]) -> str:
    """Every row of every run."""
    return results.to_csv(row for run in runs for row in run.rows)
