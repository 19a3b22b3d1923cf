"""Runs made by hand: every number in them is chosen, so that every report of them is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from timbrebench.core import audio
from timbrebench.core.results import CellRecord, ItemRecord, RunRecord, StageRecord

HEARD = {
    "stems": {
        "piano<b>": {
            **{"tracks": {"train": 9}, "seconds": {"train": 60.0}},
            **{"rms_db": -20.04, "peak_db": -6.0, "silent_share": 0.125},
        }
    },
    "unreadable": {"<i>": "the file is empty"},
}
LOWER = {"fad_logmel", "jaccard_melodia16k", "mel_l1", "train_seconds"}


def row(cell: CellRecord, metric: str, value: float | None, **fields: Any) -> dict[str, Any]:
    """A tidy row; what is not given has the plainest value."""
    known = {
        "run": "run",
        "cell": cell.key,
        "method": cell.label,
        "dataset": cell.dataset,
        "task": "a:b",
        "seed": cell.seed,
        "metric": metric,
        "item": "",
        "value": value,
        "unit": "",
        "higher_is_better": False if metric in LOWER else None,
        "n": None,
        "status": "ok",
        "reason": "",
        "reference": "the counterpart",
        "details": {},
    }
    return known | fields


def cell(label: str, **fields: Any) -> CellRecord:
    method = label.partition("[")[0]
    control = method in ("copy", "eq", "affine", "regress", "shuffled", "noise", "oracle")
    seed = fields.get("seed", 0)
    known: dict[str, Any] = {
        "key": f"{label}-{seed}",
        "label": label,
        "method": method,
        "control": control,
        "supervision": "none" if control else "paired",
        "dataset": "starlet",
        "tasks": ("a:b",),
        "seed": seed,
        "status": "ok",
    }
    return CellRecord(**(known | fields))


def pair_rows(
    of: CellRecord, metric: str, values: Mapping[str, float | None], **fields: Any
) -> list[dict[str, Any]]:
    """An item row for each track (None: failed) and the aggregate row, as the runner writes."""
    items = [
        row(of, metric, value, item=track, **fields)
        if value is not None
        else row(of, metric, None, item=track, status="failed", reason="too short", **fields)
        for track, value in values.items()
    ]
    known = [value for value in values.values() if value is not None]
    whole = row(of, metric, float(np.mean(known)), n=len(known), **fields)
    return [*items, whole]


def run(
    cells: Sequence[CellRecord],
    rows: Sequence[Mapping[str, Any]],
    path: Path = Path("run"),
    **fields: Any,
) -> RunRecord:
    known: dict[str, Any] = {"config": {}, "environment": {}, "stages": {}, "corpus": {}}
    return RunRecord(path=path, cells=cells, rows=rows, **(known | fields))


def tone(path: Path, hz: float, seconds: float, level: float = 0.2, seed: int = 0) -> Path:
    """A melody of decaying tones with overtones, as a FLAC file."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(16000 * seconds)) / 16000
    steps = rng.integers(0, 12, int(seconds * 2) + 1)
    pitch = hz * 2 ** (steps[(t * 2).astype(int)] / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / 16000
    envelope = np.exp(-3 * (t * 2 % 1))
    sound = sum(np.sin(k * phase) / k**1.5 for k in range(1, 8)) * envelope
    audio.write(path, (level * sound + 0.003 * rng.standard_normal(len(t))).astype("f4"), 16000)
    return path


def item(task: str, track: str, estimate: Path) -> ItemRecord:
    """An estimate that is its own source and has no reference."""
    return ItemRecord(task, track, estimate, source=estimate, reference=None)


METHODS = {  # label → (fad, jaccard, mel_l1, trained)
    "palette": (0.07, 0.09, 0.066, True),
    "ldm": (1.9, 0.58, 0.21, True),
    "cross": (1.6, 0.77, 0.25, True),
    "regress": (0.16, 0.12, 0.083, True),
    "copy": (4.9, 0.30, 0.31, False),
    "eq": (1.5, 0.43, 0.24, False),
    "affine": (1.48, 0.71, 0.2, False),
    "shuffled": (0.8, 0.91, 0.4, False),
    "noise": (24.0, 0.99, 0.9, False),
    "oracle[soundstream]": (0.05, 0.07, 0.02, False),
}


def rich_run(
    root: Path,
    tasks: Sequence[str] = ("vibraphone:piano",),
    tracks: Sequence[str] = ("t001", "t002", "t003", "t004"),
    seconds: float = 1.0,
    labels: Sequence[str] = tuple(METHODS),
) -> RunRecord:
    """A run as the runner leaves it: systems, one that ran out of memory, audio."""
    rng = np.random.default_rng(1)
    cells, rows, stages = [], [], {}
    for order, label in enumerate(labels):
        fad, jaccard, l1, trained = METHODS[label]
        items = [
            _item(root, task, track, label, order, seconds) for task in tasks for track in tracks
        ]
        keys = (f"stage-{label}",) if trained else ()
        of = cell(
            label,
            tasks=tuple(tasks),
            items=items,
            stages=keys,
            options={"width": 32, "steps": 20} if trained else {},
            budget={"kind": "flops", "amount": 2e13},
            supervision={"palette": "paired", "regress": "paired"}.get(
                label, "unpaired" if trained else "none"
            ),
            outcome={"vocoder": "griffinlim"},
        )
        cells.append(of)
        for key in keys:
            stages[key] = _stage(key, order)
        for shift, task in enumerate(tasks):
            scale = 1 + 0.3 * shift
            rows.append(
                row(
                    of,
                    "fad_logmel",
                    fad * scale,
                    task=task,
                    n=len(tracks) * 60,
                    reference="training tracks",
                    details={"interval": [fad * scale * 0.8, fad * scale * 1.3]},
                )
            )
            for metric, centre in (("jaccard_melodia16k", jaccard), ("mel_l1", l1)):
                values = {t: min(centre * scale * rng.uniform(0.85, 1.15), 1.0) for t in tracks}
                rows += pair_rows(of, metric, values, task=task)
            level = {t: float(rng.normal(0, 0.5)) for t in tracks}
            rows += pair_rows(of, "level_error_db", level, task=task, unit="dB")
        costs = {
            "train_seconds": (300.0 - 20 * order if trained else 0.0, "s"),
            "train_flops": (2e13 * (1 + order / 3) if trained else 0.0, "FLOP"),
            "real_time_factor": (0.02 * (order + 1), ""),
            "peak_rss_bytes": (2**30 * (1 + order / 4), "B"),
            "parameters": (9.1e5 * (1 + order) if trained else 0.0, ""),
        }
        rows += [row(of, name, v, unit=unit, task="") for name, (v, unit) in costs.items()]
        rows.append(
            row(of, "fad_vggish", None, task=tasks[0], status="missing", reason="no weights: run X")
        )
    bad = cell("double", tasks=tuple(tasks), status="oom", phase="training", supervision="unpaired")
    cells.append(
        CellRecord(**(bad.__dict__ | {"reason": "9 GiB wanted", "log_tail": "line 1\nline 2"}))
    )
    return run(
        cells,
        rows,
        root / "demo",
        stages=stages,
        corpus={"name": "starlet", "tracks": 40, "fingerprint": "abc", "heard": HEARD},
        config={"methods": list(labels), "seeds": [0]},
        environment={"python": "3.11", "cpu": "two cores"},
    )


def _item(root: Path, task: str, track: str, label: str, order: int, seconds: float) -> ItemRecord:
    place = root / task.replace(":", "-")
    seed = int(track.strip("t")) if track.strip("t").isdigit() else 0
    given = [place / name / f"{track}.flac" for name in ("source", "reference")]
    for hz, path in zip((440.0, 330.0), given, strict=True):
        if not path.exists():
            tone(path, hz, seconds, seed=seed)
    estimate = tone(place / f"m{order}" / f"{track}.flac", 220.0 + 20 * order, seconds, seed=seed)
    return ItemRecord(task, track, estimate, *given)


def _stage(key: str, order: int) -> StageRecord:
    curve = [
        {
            "step": step,
            "seconds": step / 10,
            "loss": 1.0 / (1 + step / (100 + 30 * order)) + 0.05,
            "valid_loss": 1.1 / (1 + step / 100) + 0.07 if step % 250 == 0 else None,
        }
        for step in range(1, 2000, 7)
    ]
    curve += [{"step": 2000, "seconds": 200.0, "valid_loss": 0.12}]
    return StageRecord(key, "unet", "ok", 2000, 280.5, 2e13, {"unet": 910_000}, curve)


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The builders of this file: ``make.run``, ``make.cell``, ``make.row`` and so on."""
    return SimpleNamespace(
        run=run,
        cell=cell,
        row=row,
        pair_rows=pair_rows,
        item=item,
        rich_run=rich_run,
        tone=tone,
    )
