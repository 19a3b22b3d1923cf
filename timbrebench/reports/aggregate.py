"""Tidy rows of a system → one entry a (task, metric), and the mean of entries over tasks."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from timbrebench.core.statistics import crossed_interval, mean, pseudo_values
from timbrebench.reports.records import ABSENT, Entry
from timbrebench.reports.systems import Evidence

Row = Mapping[str, Any]
# Details that an entry holds in fields of its own, or that are too long for a table.
_APART = ("interval", "grey", "items", "n", "without", "least", "points")
FEW_VECTORS = 200  # below, sampling bias is above 6 % of the total variance (128 dimensions)


def entries_of(cells: Sequence[Evidence]) -> dict[tuple[str, str], Entry]:
    """(task, metric) → entry, over the cells (seeds) of one system."""
    rows: dict[tuple[str, str], dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for evidence in cells:
        for row in evidence.rows:
            rows[row["task"], row["metric"]][evidence.cell.seed].append(row)
    return {
        (task, metric): _entry(by_seed, _made_from(cells, task))
        for (task, metric), by_seed in rows.items()
    }


def _made_from(cells: Sequence[Evidence], task: str) -> tuple[str, ...]:
    """The test items that the estimates of a task were made from, and their corpus."""
    tracks = {item.track for e in cells for item in e.cell.items if item.task == task}
    return (str(cells[0].corpus.get("fingerprint", "")), *sorted(tracks))


def _entry(by_seed: Mapping[int, Sequence[Row]], made_from: tuple[str, ...]) -> Entry:
    rows = [row for seed_rows in by_seed.values() for row in seed_rows]
    items = {seed: _values_by_item(seed_rows) for seed, seed_rows in by_seed.items()}
    items = {seed: values for seed, values in items.items() if values}
    if items:
        return _mean_over_items(items, rows, made_from[0])
    whole = {seed: next((r for r in of if _is_ok(r)), None) for seed, of in by_seed.items()}
    known = {seed: row for seed, row in whole.items() if row is not None}
    if known:
        return _of_whole(known, made_from)
    bad = next((r for r in rows if r["status"] != "ok"), None)
    if bad is None:
        return Entry(status="failed", reason="the value is not a number")
    return Entry(status=bad["status"], reason=bad["reason"], reference=bad["reference"])


def _is_ok(row: Row) -> bool:
    value = row["value"]
    return row["status"] == "ok" and value is not None and math.isfinite(value)


def _values_by_item(rows: Sequence[Row]) -> dict[str, float]:
    return {row["item"]: float(row["value"]) for row in rows if row["item"] and _is_ok(row)}


def _mean_over_items(
    items: Mapping[int, Mapping[str, float]], rows: Sequence[Row], fingerprint: str
) -> Entry:
    """The mean over the items that every seed has, with its interval over items."""
    common = sorted(set.intersection(*(set(values) for values in items.values())))
    if not common:
        return Entry(status="failed", reason="no item was measured under every seed")
    kept = {seed: {item: values[item] for item in common} for seed, values in items.items()}
    low, high = _interval(kept)
    reference = next(r["reference"] for r in rows if r["item"] and _is_ok(r))
    dropped = {i for values in items.values() for i in values} - set(common)
    return Entry(
        value=mean([value for values in kept.values() for value in values.values()]),
        low=low,
        high=high,
        n=len(common),
        reason=f"left out, as not every seed has them: {', '.join(sorted(dropped))}"
        if dropped
        else "",
        reference=reference,
        by_seed={seed: mean(list(values.values())) for seed, values in kept.items()},
        items=kept,
        basis=(fingerprint, reference, *common),
    )


def _interval(items: Mapping[int, Mapping[str, float]]) -> tuple[float | None, float | None]:
    """Over tracks and seeds; every seed has the same tracks in the same order."""
    values = [list(of.values()) for of in items.values()]
    return (crossed_interval(values) if values else None) or (None, None)


def _of_whole(rows: Mapping[int, Row], made_from: tuple[str, ...]) -> Entry:
    """A set distance or a cost: one row a seed."""
    by_seed = {seed: float(row["value"]) for seed, row in rows.items()}
    first = next(iter(rows.values()))
    details = first["details"] or {}
    low, high = _interval_of_whole(rows) or (None, None)
    sizes = [row["n"] for row in rows.values() if row["n"] is not None]
    n = min(sizes, default=None)
    few = bool(first["task"]) and n is not None and n < FEW_VECTORS
    return Entry(
        value=mean(list(by_seed.values())),
        low=low,
        high=high,
        n=n,
        reference=first["reference"],
        by_seed=by_seed,
        by_share=_shares(rows),
        basis=(first["reference"], *_measured(details, made_from)),
        details={k: v for k, v in details.items() if k not in _APART and v not in ("", {}, [])},
        grey=bool(details.get("grey", few)),
    )


def _interval_of_whole(rows: Mapping[int, Row]) -> Sequence[float] | None:
    """The metric's own interval of one seed; of several, over tracks and seeds by their shares."""
    if len(rows) == 1:
        (row,) = rows.values()
        return (row["details"] or {}).get("interval")
    shares = [_shares_of(row) for row in rows.values()]
    tracks = sorted(shares[0])
    if not tracks or any(sorted(of) != tracks for of in shares):
        return None
    interval = crossed_interval([[of[t] for t in tracks] for of in shares])
    if interval is None:
        return None
    # The shares' mean is about the distance, less the jackknife's estimate of its bias.
    shift = mean([row["value"] for row in rows.values()]) - mean(
        [share for of in shares for share in of.values()]
    )
    least = max((row["details"] or {}).get("least", -math.inf) for row in rows.values())
    return [max(least, interval[0] + shift), interval[1] + shift]


def _shares(rows: Mapping[int, Row]) -> dict[str, float]:
    """Track → its share in a set distance, the mean over seeds."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows.values():
        for track, share in _shares_of(row).items():
            found[track].append(share)
    return {t: mean(v) for t, v in sorted(found.items()) if len(v) == len(rows)}


def _shares_of(row: Row) -> dict[str, float]:
    return pseudo_values(row["value"], (row["details"] or {}).get("without") or {})


def _measured(details: Mapping[str, Any], made_from: tuple[str, ...]) -> tuple[str, ...]:
    """The items behind a set distance, if it names them: those it made no use of are told."""
    if "items" not in details:
        return made_from
    skipped = [f"not {name}" for name in sorted(details.get("skipped") or ())]
    return (made_from[0], *sorted(details["items"]), *skipped)


def overall(entries: Mapping[str, Entry]) -> Entry:
    """The mean over tasks (task → entry), where every task has a value; never pooled.

    Tasks share tracks, so that the interval is over tracks and seeds, each track its mean over
    tasks; there is none where the tasks' tracks differ, nor for set distances.
    """
    lacking = [task for task, entry in entries.items() if entry.value is None]
    if len(lacking) == len(entries):
        return _shared_status(list(entries.values()))
    if lacking:
        return Entry(status="incomplete", reason=f"no value for {', '.join(lacking)}")
    parts = list(entries.values())
    seeds = sorted(set.intersection(*(set(part.by_seed) for part in parts)))
    if not seeds:
        return Entry(status="incomplete", reason="no seed has a value for every task")
    by_seed = {seed: mean([part.by_seed[seed] for part in parts]) for seed in seeds}
    items = _items_over_tasks(parts, seeds)
    low, high = _interval(items)
    sizes = [part.n for part in parts if part.n is not None]
    tracks = len(next(iter(items.values()))) if items else 0
    return Entry(
        value=mean(list(by_seed.values())),
        low=low,
        high=high,
        n=tracks or min(sizes, default=None),
        reference="; ".join(dict.fromkeys(p.reference for p in parts if p.reference)),
        by_seed=by_seed,
        items=items,
        by_share={} if items else _mean_by_track([part.by_share for part in parts]),
        basis=tuple(f"{task}/{b}" for task, part in entries.items() for b in part.basis),
        grey=any(part.grey for part in parts),
    )


def _items_over_tasks(parts: Sequence[Entry], seeds: Sequence[int]) -> dict[int, dict[str, float]]:
    """Seed → track → mean over tasks; nothing where the tasks' tracks differ."""
    if not all(part.items for part in parts):
        return {}
    items = {seed: _mean_by_track([part.items[seed] for part in parts]) for seed in seeds}
    return items if all(items.values()) else {}


def _mean_by_track(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    tracks = set(parts[0])
    if any(set(part) != tracks for part in parts):
        return {}
    return {track: mean([part[track] for part in parts]) for track in sorted(tracks)}


def _shared_status(parts: Sequence[Entry]) -> Entry:
    statuses = {part.status for part in parts}
    if len(statuses) > 1:
        return Entry(status="incomplete", reason="no value for any task")
    return parts[0] if parts else ABSENT
