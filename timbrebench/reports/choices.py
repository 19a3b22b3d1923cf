"""Options that were chosen on validation tracks, as a cell's outcome tells."""

from collections.abc import Mapping, Sequence
from typing import Any

from timbrebench.reports.records import Choice, System
from timbrebench.reports.systems import Evidence
from timbrebench.reports.wording import number, plain

CURVE = ("fad_logmel", "jaccard_melodia16k")  # what candidates are judged by


def choices_of(owned: Mapping[System, Sequence[Evidence]]) -> tuple[Choice, ...]:
    """One for each task of each cell that had something to choose."""
    return tuple(
        Choice(
            dataset=system.dataset,
            label=system.label,
            seed=evidence.cell.seed,
            task=task,
            values=_values(made.get("values", {})),
            rule=str(made.get("rule", "")),
            tried=tuple(_tried(entry, made.get("values", {})) for entry in made.get("tried", ())),
            tracks=tuple(map(str, made.get("tracks", ()))),
            curves=_curves(made.get("tried", ()), list(made.get("values", {}))),
        )
        for system, cells in owned.items()
        for evidence in cells
        for task, made in (evidence.cell.outcome.get("chosen") or {}).items()
    )


def _curves(
    tried: Sequence[Mapping[str, Any]], options: Sequence[str]
) -> tuple[tuple[tuple[float, float], ...], ...]:
    found: dict[tuple[Any, ...], list[tuple[float, float]]] = {}
    for entry in tried:
        timbre, content = (entry.get(name) for name in CURVE)
        if isinstance(timbre, int | float) and isinstance(content, int | float):
            others = tuple(str(entry.get(name)) for name in options[:-1])
            found.setdefault(others, []).append((float(timbre), float(content)))
    return tuple(tuple(curve) for curve in found.values() if len(curve) > 1)


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {plain(value)}" for name, value in values.items())


def _tried(entry: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """'k = 100: fad_logmel 3.10, sum 1.20'."""
    judged = [
        f"{name} {number(float(value)) if isinstance(value, int | float) else plain(value)}"
        for name, value in entry.items()
        if name not in options
    ]
    tried = _values({name: entry[name] for name in options if name in entry})
    return f"{tried}: {', '.join(judged)}" if judged else tried


def choice_text(choice: Choice) -> str:
    """One line, for forms without tables within tables."""
    who = f"{choice.label}, seed {choice.seed}, {choice.task}: {choice.values}"
    tracks = len(choice.tracks)
    on = f" on {tracks} validation track{'' if tracks == 1 else 's'}" if tracks else ""
    told = [choice.rule, f"tried {'; '.join(choice.tried)}" if choice.tried else ""]
    return who + on + (f" ({'; '.join(filter(None, told))})" if any(told) else "")
