"""What may be compared with what: blocks, the best of each, controls that beat a method."""

from collections.abc import Sequence
from dataclasses import replace

from timbrebench.core.statistics import separated
from timbrebench.reports.records import Beaten, Block, Column, Entry, Line, Rival, Table
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
    marked = [_with_best(line, lines, columns) for line in lines]
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


# ---------------------------------------------------------------------------- the best


def _with_best(line: Line, lines: Sequence[Line], columns: Sequence[Column]) -> Line:
    if line.system.control:
        return line
    rivals = [other for other in lines if not other.system.control]
    entries = dict(line.entries)
    for column in columns:
        if column.metric in entries and _is_best(line, rivals, column):
            entries[column.metric] = replace(entries[column.metric], best=True)
    return replace(line, entries=entries)


def _is_best(line: Line, rivals: Sequence[Line], column: Column) -> bool:
    """Best of two or more methods, or not separable from the best by tracks."""
    own = line.entry(column)
    known = [r.entry(column) for r in rivals]
    known = [e for e in known if e.value is not None and not e.grey]
    if column.higher_is_better is None or own.value is None or own.grey or len(known) < 2:
        return False
    best = next(e for e in known if not any(better(o, e, column) for o in known))
    return own is best or separated(own.by_track, best.by_track) is False


def better(a: Entry, b: Entry, column: Column) -> bool:
    """Whether ``a`` is better than ``b``; False where either has no value."""
    if a.value is None or b.value is None or column.higher_is_better is None:
        return False
    return a.value > b.value if column.higher_is_better else a.value < b.value


# ---------------------------------------------------------------------------- controls


def beaten(table: Table) -> list[Beaten]:
    """The methods of a table that a control is better than, metric by metric."""
    columns = [c for c in table.columns if not c.cost and c.higher_is_better is not None]
    found = []
    for block in table.blocks:
        rivals = [line for line in block.controls if not line.system.bound]
        for line in block.methods:
            for column in columns:
                if ahead := _ahead(line.entry(column), rivals, column):
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
