"""Notes below the costs of systems: what a budget of memory did, what their times are worth."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from timbrebench.core.results import RunRecord, StageRecord
from timbrebench.reports.records import System
from timbrebench.reports.systems import Evidence

BATCH_NORM = "BatchNorm sees what is held at once: another budget of memory may train other weights"


SHARED = (
    "Timed while others worked on the machine, which makes times longer and no two alike (compare "
    "FLOPs, or repeat with --jobs 1 in another folder)"
)


def cost_notes(
    owned: Mapping[System, Sequence[Evidence]], runs: Sequence[RunRecord]
) -> tuple[str, ...]:
    """Who trained in parts, who ran out of memory, whose weights depend on either; whose times
    are not to be compared."""
    known = {key: stage for run in runs for key, stage in run.stages.items()}
    trained = {
        system.label: [known[k] for e in cells for k in e.cell.stages if k in known]
        for system, cells in owned.items()
    }

    def told(words: str, tell: Callable[[StageRecord], str]) -> list[str]:
        found = {label: _distinct(map(tell, stages)) for label, stages in trained.items()}
        parts = [f"{label} ({', '.join(each)})" for label, each in found.items() if any(each)]
        return [f"{words}: {'; '.join(parts)}."] if parts else []

    shared = [s.label for s, cells in owned.items() if any(_shared(e) for e in cells)]
    return (
        *([f"{SHARED}: {', '.join(shared)}."] if shared else []),
        *told("Trained in parts of a batch, to fit the budget of memory", _parts),
        *told("Ran out of memory and went on, in a new process, with less", _lowered),
        *told(BATCH_NORM, _batch_norm),
    )


def _shared(evidence: Evidence) -> bool:
    return bool(evidence.cell.outcome.get("shared"))


def _parts(stage: StageRecord) -> str:
    size, recomputed = stage.memory.get("micro_batch"), stage.memory.get("recompute")
    parts = f"{stage.batch_size // size}×{size}" if size and size < stage.batch_size else ""
    return " ".join(part for part in (parts, "recomputed" if recomputed else "") if part)


def _lowered(stage: StageRecord) -> str:
    times = stage.memory.get("lowered", 0)
    return f"{times} time{'' if times == 1 else 's'}" if times else ""


def _batch_norm(stage: StageRecord) -> str:
    return f"{stage.name} of {stage.batch_size}" if stage.memory.get("batch_norm") else ""


def _distinct(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]
