"""Notes below the costs of systems: what a budget of memory did, what their times are worth."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from timbrebench.core.results import RunRecord, StageRecord
from timbrebench.core.units import bytes_text
from timbrebench.reports.records import System
from timbrebench.reports.systems import Evidence

BATCH_NORM = "BatchNorm sees what is held at once: another budget of memory may train other weights"
LOWERED_ESTIMATES = (
    "Ran out of memory while estimates were made and went on, in a new process, with fewer slices "
    "at once"
)
OVER = "Took more memory than the budget allows"
SHARED = (
    "Timed while others worked on the machine, which makes times longer and no two alike (compare "
    "FLOPs, or repeat with --jobs 1 in another folder)"
)
MEMORY = "Memory that a job might take"
_NO_LIMIT = "no limit"
ALONE = "Timed after the run, with nothing else of it beside them"


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
        return noted(words, {label: map(tell, stages) for label, stages in trained.items()})

    def told_of_cells(words: str, tell: Callable[[Evidence], Iterable[str]]) -> list[str]:
        return noted(words, {s.label: chain(*map(tell, cells)) for s, cells in owned.items()})

    def noted(words: str, texts: Mapping[str, Iterable[str]]) -> list[str]:
        found = {label: _distinct(each) for label, each in texts.items()}
        parts = [f"{label} ({', '.join(each)})" for label, each in found.items() if any(each)]
        return [f"{words}: {'; '.join(parts)}."] if parts else []

    return (
        *_of_times(SHARED, owned, _beside_others),
        *_of_times(ALONE, owned, _alone),
        *_of_memory(owned),
        *told("Trained in parts of a batch, to fit the budget of memory", _parts),
        *told("Ran out of memory and went on, in a new process, with less", _lowered),
        *told_of_cells(LOWERED_ESTIMATES, _lowered_estimates),
        *told_of_cells(OVER, _over_budget),
        *told(BATCH_NORM, _batch_norm),
    )


def _of_memory(owned: Mapping[System, Sequence[Evidence]]) -> list[str]:
    """What each system's jobs might take; nothing where none was limited."""
    given = {
        system.label: _distinct(_given(memory) for e in cells for memory in _phases(e).values())
        for system, cells in owned.items()
    }
    kinds = _distinct(chain(*given.values()))
    if kinds in ([], [_NO_LIMIT]):
        return []
    each = [f"{label} ({', '.join(texts)})" for label, texts in given.items() if texts]
    return [f"{MEMORY}: {kinds[0] if len(kinds) == 1 else '; '.join(each)}."]


def _given(memory: Mapping[str, Any]) -> str:
    limits = memory.get("limits") or {}
    told = []
    if gpu := limits.get("gpu"):
        enforced = memory.get("enforced") == "allocator"
        told.append(f"{bytes_text(gpu)} of a GPU, {'enforced' if enforced else 'planned for'}")
    if host := limits.get("host"):
        enforced = memory.get("enforced") == "rlimit"
        told.append(f"{bytes_text(host)} of the host, {'enforced' if enforced else 'planned for'}")
    return " and ".join(told) or _NO_LIMIT


Outcomes = Sequence[Mapping[str, Any]]


def _of_times(
    words: str,
    owned: Mapping[System, Sequence[Evidence]],
    tell: Callable[[Outcomes], Iterable[str] | None],
) -> list[str]:
    """A note on the systems of which there is something to tell, with what it is."""
    parts = []
    for system, cells in owned.items():
        found = tell([e.cell.outcome for e in cells])
        if found is not None:
            more = ", ".join(found)
            parts.append(f"{system.label} ({more})" if more else system.label)
    return [f"{words}: {'; '.join(parts)}."] if parts else []


def _beside_others(outcomes: Outcomes) -> Iterable[str] | None:
    """Why they still are what was taken beside others; None where none is."""
    shared = [outcome.get("timed") for outcome in outcomes if outcome.get("shared")]
    return _distinct(map(_why, shared)) if shared else None


def _why(timed: Mapping[str, Any] | None) -> str:
    if not timed:
        return ""
    if "failed" in timed:
        return f"not timed alone: {timed['failed']}".rstrip(".")
    return "its training, whose seconds are its budget"


def _alone(outcomes: Outcomes) -> Iterable[str] | None:
    """How much of them was timed alone; None where nothing was."""
    timed = [t for outcome in outcomes if "items" in (t := outcome.get("timed") or {})]
    counts = {name: sum(t[name] for t in timed) for name in ("steps", "items")}
    told = [f"{n} {name if n > 1 else name[:-1]}" for name, n in counts.items() if n]
    return told if timed else None


def _parts(stage: StageRecord) -> str:
    size, recomputed = stage.memory.get("micro_batch"), stage.memory.get("recompute")
    parts = f"{stage.batch_size // size}×{size}" if size and size < stage.batch_size else ""
    return " ".join(part for part in (parts, "recomputed" if recomputed else "") if part)


def _lowered(stage: StageRecord) -> str:
    return _times(stage.memory.get("lowered", 0))


def _times(times: int) -> str:
    return f"{times} time{'' if times == 1 else 's'}" if times else ""


def _lowered_estimates(evidence: Evidence) -> list[str]:
    return [_times(_phases(evidence).get("estimate", {}).get("lowered", 0))]


def _over_budget(evidence: Evidence) -> list[str]:
    phases = _phases(evidence).items()
    over = [name for name, memory in phases if memory.get("within_budget") is False]
    return ["estimates" if name == "estimate" else f"training {name}" for name in over]


def _phases(evidence: Evidence) -> Mapping[str, Mapping[str, Any]]:
    return evidence.cell.outcome.get("phases") or {}


def _batch_norm(stage: StageRecord) -> str:
    return f"{stage.name} of {stage.batch_size}" if stage.memory.get("batch_norm") else ""


def _distinct(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]
