"""What a run left, as records that reports read. Reports see only these, and audio files."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timbrebench.core.layouts import SuiteRecord

OTHER_HALF = "the other half"  # reference of what is measured between the halves of a pair

# A tidy row is a mapping with at least these keys; ``benchmarks.reading`` writes them.
ROW_FIELDS = (
    "run",  # name of the run folder
    "cell",  # key of the cell
    "method",  # its label, such as 'palette' or 'palette[objective=noise]'
    "dataset",
    "task",  # Task.name; '' for what belongs to the whole cell
    "seed",
    "metric",
    "item",  # track, or '' for an aggregate
    "value",  # None unless status is ok
    "unit",
    "higher_is_better",
    "n",  # items behind an aggregate; vectors behind a set distance
    "status",  # ok | failed | missing | not_applicable
    "reason",
    "reference",  # what it was measured against
    "details",  # mapping: per-metric provenance
)


@dataclass(frozen=True)
class ItemRecord:
    """One estimate, and what it was made from and is compared with (FLAC files)."""

    task: str
    track: str
    estimate: Path
    source: Path | None
    reference: Path | None
    other: Path | None = None  # of a pair: the half by the second instrument


@dataclass(frozen=True)
class StageRecord:
    """A trained stage (models/KEY/stage.json and curve.jsonl)."""

    key: str
    name: str
    status: str  # ok | unfinished
    steps: int
    seconds: float | None
    flops: float | None
    parameters: Mapping[str, int]  # by component
    curve: Sequence[Mapping[str, Any]] = ()  # step, seconds, loss, valid_loss, lr, parts
    memory: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 0


@dataclass(frozen=True)
class CellRecord:
    """A cell and its outcome (cells/KEY/)."""

    key: str
    label: str
    method: str
    control: bool
    supervision: str  # paired | unpaired | none
    dataset: str
    tasks: Sequence[str]
    seed: int
    status: str  # ok | failed | oom | timeout | killed | interrupted | impossible | pending
    phase: str = ""  # where it ended, if not ok
    reason: str = ""
    log_tail: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    budget: Mapping[str, Any] = field(default_factory=dict)
    augment: str = ""  # copies of the training tracks, if there were any
    stages: Sequence[str] = ()  # keys
    outcome: Mapping[str, Any] = field(default_factory=dict)  # times, memory, vocoder
    items: Sequence[ItemRecord] = ()


@dataclass(frozen=True)
class RunRecord:
    """One run folder."""

    path: Path
    config: Mapping[str, Any]  # what run.json holds
    environment: Mapping[str, Any]
    cells: Sequence[CellRecord]
    stages: Mapping[str, StageRecord]
    rows: Sequence[Mapping[str, Any]]  # tidy rows, ROW_FIELDS
    corpus: Mapping[str, Any] = field(default_factory=dict)  # name, tracks, …; or such by dataset
    suite: "SuiteRecord | None" = None  # of which it is a run
    comparisons: Sequence[Mapping[str, Any]] = ()  # declared ones, by benchmarks.comparing
    told: Sequence[str] = ()  # what of the folder could not be read, and what to do

    def corpus_of(self, dataset: str) -> Mapping[str, Any]:
        """What the run says of a dataset, whether it holds one corpus or several by name."""
        own = self.corpus.get(dataset)
        return own if isinstance(own, Mapping) else self.corpus


# ---------------------------------------------------------------------------- rows as text


def to_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """One line a row, fields as in ROW_FIELDS; ``details`` as JSON, None as an empty field."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(ROW_FIELDS)
    writer.writerows([_field(row, name) for name in ROW_FIELDS] for row in rows)
    return file.getvalue()


def _field(row: Mapping[str, Any], name: str) -> Any:
    value = row.get(name)
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return "" if value is None else value
