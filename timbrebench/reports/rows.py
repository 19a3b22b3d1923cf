"""The tidy rows of several runs as one CSV."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from timbrebench.core.results import ROW_FIELDS, RunRecord


def to_csv(runs: Sequence[RunRecord]) -> str:
    """One line a row, fields as in ROW_FIELDS; ``details`` as JSON, None as an empty field."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(ROW_FIELDS)
    for run in runs:
        writer.writerows([_field(row, name) for name in ROW_FIELDS] for row in run.rows)
    return file.getvalue()


def _field(row: Mapping[str, Any], name: str) -> Any:
    value = row.get(name)
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return "" if value is None else value
