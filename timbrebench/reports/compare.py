"""What may be compared with what: blocks, their tiers, controls that beat a method."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from timbrebench.core.compute import may_rank
from timbrebench.core.statistics import separated
from timbrebench.reports.records import Beaten, Block, Column, Entry, Line, Rival, System, Table
from timbrebench.reports.wording import names_text


def blocks_of(lines: Sequence[Line], columns: Sequence[Column]) -> tuple[Block, ...]:
    """Lines in blocks of equal test items, the largest block first.

    Two lines stand in one block if every column in which both have a value was measured on
    the same basis. Costs do not matter: they belong to no item.
    """
    measured = [column for column in columns if not column.cost]
    groups: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: -_values(line, measured)):
        home = next((g for g in groups if all(_same(line, o, measured) for o in g)), None)
        if home is None:
            groups.append([line])
        else:
            home.append(line)
    groups.sort(key=lambda group: -len(group))
    order = {id(line): i for i, line in enumerate(lines)}
    ordered = [sorted(group, key=lambda line: order[id(line)]) for group in groups]
    return tuple(_block(group, ordered[0], measured) for group in ordered)


def _values(line: Line, columns: Sequence[Column]) -> int:
    return sum(line.entry(column).value is not None for column in columns)


def _same(a: Line, b: Line, columns: Sequence[Column]) -> bool:
    pairs = [(a.entry(column), b.entry(column)) for column in columns]
    return all(x.basis == y.basis for x, y in pairs if x.value is not None and y.value is not None)


def _items(lines: Sequence[Line], columns: Sequence[Column]) -> set[str]:
    return {item for line in lines for c in columns for item in line.entry(c).by_item}


def _block(lines: Sequence[Line], first: Sequence[Line], columns: Sequence[Column]) -> Block:
    items = _items(lines, columns)
    note = "" if lines is first else _difference(items, _items(first, columns))
    marked = _tiered(lines, columns)
    return Block(
        methods=tuple(line for line in marked if not line.system.control),
        controls=tuple(line for line in marked if line.system.control),
        items=tuple(sorted(items)),
        note=note,
    )


def _difference(items: set[str], usual: set[str]) -> str:
    without, extra = sorted(usual - items), sorted(items - usual)
    parts = []
    if without:
        parts.append(f"without {names_text(without)}")
    if extra:
        parts.append(f"with {names_text(extra)} besides")
    told = "; ".join(parts) or "not every metric on the same items or against the same reference"
    return f"Measured otherwise ({told}): not to be ranked with the rows above."


# ---------------------------------------------------------------------------- tiers


def _tiered(lines: Sequence[Line], columns: Sequence[Column]) -> list[Line]:
    """The lines, with the best and the tiers of the methods among them, budget by budget."""
    budgets = by_compute([line for line in lines if not line.system.control])
    ranks = {
        column.metric: [(_together(own, column), _tiers(own, column)) for own in budgets]
        for column in columns
    }
    found = []
    for line in lines:
        places = [any(line is other for other in own) for own in budgets]
        entries = {}
        for metric, entry in line.entries.items():
            own = list(itertools.compress(ranks.get(metric, ()), places))
            best = bool(own) and all(line.system in together for together, _ in own)
            tiers = [of[line.system] for _, of in own if line.system in of]
            entries[metric] = replace(entry, best=best, tier=max(tiers, default=None))
        found.append(replace(line, entries=entries))
    return found


def by_compute(methods: Sequence[Line]) -> list[list[Line]]:
    """The lines that may be ranked together: those of one budget, each time with those that train
    nothing, which are the best only where they are so beside every budget."""
    computes = dict.fromkeys(line.system.compute for line in methods if line.system.compute)
    return [[m for m in methods if m.system.compute in (c, "")] for c in computes or ("",)]


def _ranked(methods: Sequence[Line], column: Column) -> dict[System, Entry]:
    """The entries that can be ranked, if there are two."""
    if column.higher_is_better is None:
        return {}
    entries = {line.system: line.entry(column) for line in methods}
    known = {s: e for s, e in entries.items() if e.value is not None and not e.grey}
    return known if len(known) > 1 else {}


def _together(methods: Sequence[Line], column: Column) -> list[System]:
    """The best method, and those that the test tracks cannot separate from it."""
    known = _ranked(methods, column)
    return _first(known, column) if known else []


def _first(known: Mapping[System, Entry], column: Column) -> list[System]:
    best = next(e for e in known.values() if not any(better(o, e, column) for o in known.values()))
    return [
        s for s, e in known.items() if e is best or separated(e.by_track, best.by_track) is False
    ]


def _tiers(methods: Sequence[Line], column: Column) -> dict[System, int]:
    """Method → its tier, 1 for the best: a tier is its best method and all that the test tracks
    cannot separate from it. None at all where tracks cannot be asked (no shares, or too few)."""
    left = dict(_ranked(methods, column))
    tracks = [e.by_track for e in left.values()]
    if any(separated(tracks[0], other) is None for other in tracks):
        return {}
    tiers: dict[System, int] = {}
    while left:
        together = _first(left, column)
        tiers |= dict.fromkeys(together, max(tiers.values(), default=0) + 1)
        left = {s: e for s, e in left.items() if s not in together}
    return tiers


def better(a: Entry, b: Entry, column: Column) -> bool:
    """Whether ``a`` is better than ``b``; False where either has no value."""
    if a.value is None or b.value is None or column.higher_is_better is None:
        return False
    return a.value > b.value if column.higher_is_better else a.value < b.value


# ---------------------------------------------------------------------------- controls


def beaten(table: Table) -> list[Beaten]:
    """The methods of a table that a control is better than, metric by metric. A control that was
    trained with another budget is no rival."""
    columns = [c for c in table.columns if not c.cost and c.higher_is_better is not None]
    found = []
    for block in table.blocks:
        rivals = [line for line in block.controls if not line.system.bound]
        for line in block.methods:
            own_rivals = [r for r in rivals if may_rank(r.system.compute, line.system.compute)]
            for column in columns:
                if ahead := _ahead(line.entry(column), own_rivals, column):
                    own, name = line.entry(column).value, line.system.label
                    assert own is not None
                    found.append(Beaten(table.dataset, table.task, column, name, own, ahead))
    return found


def _ahead(own: Entry, rivals: Sequence[Line], column: Column) -> tuple[Rival, ...]:
    found = []
    for line in rivals:
        entry = line.entry(column)
        if better(entry, own, column) and entry.value is not None:
            apart = separated(entry.by_track, own.by_track)
            found.append(Rival(line.system.label, entry.value, apart))
    sign = -1 if column.higher_is_better else 1
    return tuple(sorted(found, key=lambda rival: sign * rival.value))
