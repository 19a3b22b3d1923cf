"""The cell that a command line names, and what the commands that use one have in common."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from timbrebench.cli.bar import bar
from timbrebench.core.errors import BenchError, UnknownName

if TYPE_CHECKING:
    from timbrebench.benchmarks.using import FinishedCell
    from timbrebench.core.results import CellRecord, RunRecord

run_option = click.option(
    "--run", "run", type=click.Path(path_type=Path), help="Run folder, if CELL is a name."
)
set_option = click.option(
    "--set", "settings", multiple=True, metavar="OPTION=VALUE", help="A sampling option."
)
seed_option = click.option("--seed", type=int, default=0, help="Of the noise; default 0.")


# ------------------------------------------------------------------ which cell


def locate(cell: str, run: Path | None) -> tuple[Path, str]:
    """(run folder, key or label) that CELL and --run mean."""
    path = Path(cell)
    if run is not None:
        return run, cell
    if path.parent.name == "cells":
        return path.parent.parent, path.name
    if path.parent != Path() and not path.is_dir():
        near = [str(run.parent) for run in path.parent.glob("*/run.json")]
        raise UnknownName("run folder:", cell, near, hint="Write RUN/cells/KEY, or a run folder.")
    raise BenchError(f"'{cell}' names no cell.", hint="Write RUN/cells/KEY, or use --run RUN.")


def matching(record: "RunRecord", name: str) -> list["CellRecord"]:
    """The cells of a run with that label, or whose key begins so; at least one."""
    found = [c for c in record.cells if c.key.startswith(name) or c.label == name]
    if not found:
        known = [n for c in record.cells for n in (c.key, c.label)]
        raise UnknownName(f"cell of {record.path}:", name, known)
    return found


def find_cell(cell: str, run: Path | None) -> "FinishedCell":
    """The one cell meant, ready to be used. CELL may be a run folder with one trained cell."""
    from timbrebench.benchmarks.reading import read_run
    from timbrebench.benchmarks.using import open_cell

    path = Path(cell)
    if run is None and (path / "run.json").is_file():
        trained = [c for c in read_run(path).cells if c.stages]
        finished = [c for c in trained if c.status == "ok"]
        return open_cell(path, _only(finished or trained, path).key)
    root, name = locate(cell, run)
    if (root / "cells" / name / "cell.json").is_file():
        return open_cell(root, name)
    return open_cell(root, _only(matching(read_run(root), name), root).key)


def _only(found: list["CellRecord"], root: Path) -> "CellRecord":
    if not found:
        raise BenchError(f"{root} has no trained cell.", hint="Name one: RUN/cells/KEY")
    if len(found) > 1:
        told = ", ".join(f"{c.key} ({c.label}, seed {c.seed})" for c in found)
        labels = {c.label for c in found}
        by_label = f", or LABEL --run {root}" if len(labels) == len(found) else ""
        hint = f"Write {root}/cells/KEY{by_label}"
        raise BenchError(f"several cells are meant: {told}.", hint=hint)
    return found[0]


# ------------------------------------------------------------------ options and words


def settings_of(texts: Iterable[str], what: str = "--set OPTION=VALUE") -> dict[str, str]:
    """Texts of the form NAME=VALUE."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise BenchError(f"'{text}' does not say what it sets.", hint=f"Write {what}.")
        if name in pairs:
            raise BenchError(f"{name} is given twice.", hint=f"Write {what} once for each.")
        pairs[name] = value
    return pairs


def tell(notes: Iterable[str]) -> None:
    """What the user should know, on standard error."""
    for note in notes:
        click.echo(f"Note: {note}.", err=True)


class Meter:
    """Seconds of work per second of sound."""

    def __init__(self, label: str, seconds: float, report: Callable[[str, float], None]) -> None:
        self.label, self.seconds, self.report = label, seconds, report
        self.started, self.share = time.monotonic(), 0.0

    def __call__(self, share: float) -> None:
        """Moves on to a share of the work."""
        self.share = max(self.share, share)
        self.report(f"{self.label}: {self.factor(self.share):.2f} s per second", self.share)

    def factor(self, share: float = 1.0) -> float:
        elapsed = time.monotonic() - self.started
        return elapsed / max(self.seconds * share, 1e-9)

    def __str__(self) -> str:
        elapsed = time.monotonic() - self.started
        return f"{elapsed:.1f} s of work, {self.factor():.2f} s per second of sound"


@contextlib.contextmanager
def metered(label: str, seconds: float) -> Iterator[Meter]:
    """A progress bar over ``seconds`` of sound, with the real-time factor."""
    with bar(label) as report:
        yield Meter(label, seconds, report)
