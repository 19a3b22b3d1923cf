"""The data of a report. Every form of it (terminal, Markdown, LaTeX, HTML) reads only these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from timbrebench.core.statistics import mean

OVERALL = "overall"


@dataclass(frozen=True)
class Column:
    """A measure."""

    metric: str
    unit: str = ""
    higher_is_better: bool | None = None
    cost: bool = False  # of a whole cell (time, memory, size), not of a task


@dataclass(frozen=True)
class Entry:
    """What one system has in one column: a value with what it rests on, or a status."""

    value: float | None = None  # mean over seeds of each seed's own value
    low: float | None = None  # of the 95 % interval over tracks
    high: float | None = None
    n: int | None = None  # tracks behind a mean, vectors behind a set distance
    status: str = "ok"  # a row's or a cell's status | incomplete | absent
    reason: str = ""
    reference: str = ""
    by_seed: Mapping[int, float] = field(default_factory=dict)
    items: Mapping[int, Mapping[str, float]] = field(default_factory=dict)  # seed → track → value
    by_share: Mapping[str, float] = field(default_factory=dict)  # set distance: track → its share
    basis: tuple[str, ...] = ()  # what it was measured on; other bases are not comparable
    details: Mapping[str, Any] = field(default_factory=dict)  # of a set distance, by its metric
    grey: bool = False  # a set distance over too few vectors
    best: bool = False  # best method of its block, or not separable from the best
    tier: int | None = None  # among these methods, where the test tracks can say

    @property
    def by_item(self) -> dict[str, float]:
        """Track → mean over seeds, which all have the same tracks."""
        seeds = list(self.items.values())
        return {track: mean([of[track] for of in seeds]) for track in seeds[0]} if seeds else {}

    @property
    def by_track(self) -> Mapping[str, float]:
        """What paired differences are taken of."""
        return self.by_item or self.by_share


ABSENT = Entry(status="absent")


@dataclass(frozen=True)
class System:
    """A method with its options, budget and dataset: its cells differ in the seed alone."""

    label: str  # unique within its dataset
    method: str
    dataset: str
    control: bool
    supervision: str
    seeds: tuple[int, ...]  # planned
    done: tuple[int, ...]  # seeds whose cell ended well
    status: str  # ok, or the first other status
    reason: str
    cells: tuple[str, ...]  # keys
    tasks: tuple[str, ...]
    budget: str
    compute: str = ""  # see core.compute; '' where nothing was trained

    @property
    def bound(self) -> bool:
        """Whether it bounds what is possible (the oracle), so that it is no one's rival."""
        return self.method == "oracle"


@dataclass(frozen=True)
class Line:
    """A system's entries in a table."""

    system: System
    entries: Mapping[str, Entry]  # metric → entry

    def entry(self, column: Column) -> Entry:
        return self.entries.get(column.metric, ABSENT)


@dataclass(frozen=True)
class Block:
    """Lines that were measured on the same test items and so may be compared."""

    methods: tuple[Line, ...]
    controls: tuple[Line, ...]
    items: tuple[str, ...]  # tracks behind its values
    note: str = ""  # how its items differ from the first block's

    @property
    def lines(self) -> tuple[Line, ...]:
        return self.methods + self.controls


@dataclass(frozen=True)
class Table:
    """The systems on one task of a dataset, on all its tasks, or ('') their costs."""

    dataset: str
    task: str  # Task.name | OVERALL (with its kind where there are several) | ''
    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    tasks: tuple[str, ...] = ()  # that an overall table is the mean over
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(line for block in self.blocks for line in block.lines)


@dataclass(frozen=True)
class Rival:
    """A control that is better than a method."""

    label: str
    value: float
    separated: bool | None  # by a paired interval over tracks; None where there is none


@dataclass(frozen=True)
class Beaten:
    """A method that controls beat on one metric of one task."""

    dataset: str
    task: str
    column: Column
    label: str
    value: float
    rivals: tuple[Rival, ...]


@dataclass(frozen=True)
class Compared:
    """A declared comparison: a method against a rival in one metric on one task."""

    dataset: str
    task: str
    column: Column
    label: str
    rival: str
    value: float  # the method's minus the rival's, over the same tracks
    low: float | None  # of the 95 % interval
    high: float | None
    p: float  # corrected over all declared comparisons of the corpus (Holm)
    n: int  # tracks
    verdict: str  # better | worse | not separable


@dataclass(frozen=True)
class Problem:
    """Cells that did not end well, or scores that are not there, for one reason."""

    dataset: str
    labels: tuple[str, ...]
    status: str
    reason: str
    metrics: tuple[str, ...] = ()  # () for a whole cell
    tasks: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    items: tuple[str, ...] = ()
    phase: str = ""
    log_tail: str = ""


@dataclass(frozen=True)
class Choice:
    """Options that were chosen for a task on validation tracks."""

    dataset: str
    label: str
    seed: int
    task: str
    values: str  # 'k = 300'
    rule: str  # by which
    tried: tuple[str, ...]  # each candidate with what it was judged by
    tracks: tuple[str, ...]
    # Timbre and content distance of the candidates: a curve along the last option for each value
    # of the others.
    curves: tuple[tuple[tuple[float, float], ...], ...] = ()


# ---------------------------------------------------------------------------- suites


@dataclass(frozen=True)
class Shown:
    """One figure of a sheet, as it is written."""

    text: str = "–"
    explanation: str = ""
    marked: bool = False


@dataclass(frozen=True)
class SheetRow:
    label: str
    cells: tuple[Shown, ...]
    group: str = ""  # rows of one group stand under its name
    source: str = ""  # of its published figures


@dataclass(frozen=True)
class Sheet:
    """A table of figures that need not be one system a row."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    corner: str = ""  # heading of the labels
    published: int = 0  # how many columns, from the left, are published figures
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeatMap:
    """A measure on a task over two options."""

    task: str
    column: Column
    x: str  # name of the option across
    y: str
    xs: tuple[float, ...]  # rising
    ys: tuple[float, ...]  # falling: the first row is the top one
    entries: tuple[tuple[Entry, ...], ...]  # [y][x]
    matched: tuple[tuple[float, float], ...]  # (x, y) of cells that are marked, by rising x

    def entry(self, x: float, y: float) -> Entry:
        return self.entries[self.ys.index(y)][self.xs.index(x)]


@dataclass(frozen=True)
class Grid:
    """Cells that differ in two options only, and what they show."""

    title: str
    maps: tuple[HeatMap, ...]
    sentences: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class SuiteReport:
    """A published comparison with what a run measured beside it."""

    run: str
    title: str
    notes: tuple[str, ...]
    sheets: tuple[Sheet, ...]
    grids: tuple[Grid, ...]


@dataclass(frozen=True)
class Summary:
    """What one or several runs found."""

    runs: tuple[str, ...]  # names of run folders
    systems: tuple[System, ...]
    headline: tuple[Table, ...]  # one a dataset (and kind of task): what to read first
    tables: tuple[Table, ...]  # each task, where the headline is their mean
    costs: tuple[Table, ...]  # one a dataset
    warnings: tuple[Beaten, ...]
    failures: tuple[Problem, ...]  # failed cells, failed and missing scores
    skipped: tuple[Problem, ...]  # what cannot be measured by its nature
    notes: tuple[str, ...] = ()
    suites: tuple[SuiteReport, ...] = ()
    choices: tuple[Choice, ...] = ()
    comparisons: tuple[Compared, ...] = ()

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(s.dataset for s in self.systems))
