"""How values, names and intervals are written, the same in every form of a report."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from timbrebench.reports.records import Column, Entry

# Columns that a reader looks for come first, in this order; any other follows by name.
ORDER = (
    "fad_vggish",
    "fad_logmel",
    "kad_vggish",
    "kad_logmel",
    "jaccard_melodia16k",
    "jaccard_melodia16k_voiced",
    "jaccard_melodia16k_precision",
    "jaccard_melodia16k_recall",
    "jaccard_melodia16k_cut",
    "jaccard_cifka8k",
    "jaccard_cifka8k_voiced",
    "jaccard_cifka8k_precision",
    "jaccard_cifka8k_recall",
    "voiced_fraction",
    "mel_l1",
    "level_error_db",
    "train_seconds",
    "train_flops",
    "real_time_factor",
    "peak_rss_bytes",
    "peak_gpu_bytes",
    "planned_bytes",
    "parameters",
)
# Costs that stand in the headline table; the others stand in the table of costs.
HEADLINE_COSTS = ("train_seconds", "real_time_factor", "peak_rss_bytes", "parameters")
# Measures whose tiers are told in words under a table; the others' stand in tooltips.
TIERED = ("fad_vggish", "fad_logmel", "jaccard_melodia16k", "note_f1")
# Left out where there is little width; HTML and Markdown have them in tables of their own.
SECONDARY = (
    "jaccard_melodia16k_precision",
    "jaccard_melodia16k_recall",
    "jaccard_melodia16k_cut",
    "jaccard_cifka8k",
    "jaccard_cifka8k_voiced",
    "jaccard_cifka8k_precision",
    "jaccard_cifka8k_recall",
    "voiced_fraction",
    "peak_rss_bytes",
)

STATUS_WORDS = {
    "not_applicable": "n/a",
    "missing": "missing",
    "incomplete": "incomplete",
    "absent": "–",
}
BYTES = ("b", "byte", "bytes")
_SI = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_IEC = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def rank_of(metric: str) -> tuple[int, str]:
    """Sort key of columns: the known ones in :data:`ORDER`, then the rest by name; what is of one
    half of a pair, 'fad_logmel[piano]', behind that of both."""
    known = metric.partition("[")[0]
    return (ORDER.index(known) if known in ORDER else len(ORDER), metric)


def of_half(metric: str) -> bool:
    """Whether a row is of one instrument of a pair."""
    return metric.endswith("]")


def number(value: float, unit: str = "") -> str:
    """A value as text: about three figures; bytes in binary, large numbers in SI prefixes."""
    return _figures(value, unit).replace("-", "−")


def _figures(value: float, unit: str) -> str:
    if unit.lower() in BYTES:
        return _scaled(value, _IEC, " ", f"{value:.0f} B")
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e4:
        return _scaled(value, _SI, " ", f"{value:.0f}")
    if size < 5e-4:
        return f"{value:.1e}"
    decimals = 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0
    return f"{value:.{decimals}f}"


def _scaled(value: float, scales: Iterable[tuple[float, str]], space: str, otherwise: str) -> str:
    for scale, prefix in scales:
        if abs(value) >= scale:
            return f"{value / scale:.3g}{space}{prefix}"
    return otherwise


def entry_text(entry: Entry, unit: str = "") -> str:
    """The value, or the word for why there is none: never a number for a failure."""
    if entry.value is None:
        return STATUS_WORDS.get(entry.status, entry.status)
    return number(entry.value, unit)


def interval_text(entry: Entry, unit: str = "") -> str:
    """'0.21–0.29' or '−1.2 to 0.4'; '' where there is no interval."""
    if entry.low is None or entry.high is None:
        return ""
    dash = " to " if entry.low < 0 else "–"
    return f"{number(entry.low, unit)}{dash}{number(entry.high, unit)}"


def sample_text(entry: Entry) -> str:
    """What a value rests on: '10 tracks', '120 vectors'; '' where that is not known."""
    if entry.n is None:
        return ""
    noun = "track" if entry.by_item else "vector"
    return f"{entry.n} {noun}{'' if entry.n == 1 else 's'}"


def explanation(entry: Entry, column: Column) -> str:
    """All that stands behind one entry, for a tooltip."""
    parts = [sample_text(entry), f"against {entry.reference}" if entry.reference else ""]
    if interval := interval_text(entry, column.unit):
        parts.append(f"95 % interval {interval}")
    if len(entry.by_seed) > 1:
        values = (f"{s}: {number(v, column.unit)}" for s, v in sorted(entry.by_seed.items()))
        parts.append("by seed " + ", ".join(values))
    parts += [f"tier {entry.tier} of the methods" if entry.tier else "", plain(entry.details)]
    parts += ["too few vectors to be exact" if entry.grey else "", entry.reason]
    return "; ".join(p for p in parts if p)


def arrow(column: Column) -> str:
    """'↓' where lower is better, '↑' where higher is, '' where neither."""
    return {None: "", True: "↑", False: "↓"}[column.higher_is_better]


def unit_text(column: Column) -> str:
    """The unit for a heading; bytes carry theirs in every value."""
    return "" if column.unit.lower() in BYTES else column.unit


def seeds_text(done: int, planned: int) -> str:
    """'1 seed', '3 seeds', '2 of 3 seeds'."""
    if done < planned:
        return f"{done} of {planned} seeds"
    return f"{done} seed{'' if done == 1 else 's'}"


def names_text(names: Iterable[str], most: int = 8) -> str:
    """Names with commas; beyond ``most`` only their count."""
    known = list(names)
    rest = len(known) - most
    return ", ".join(known[:most]) + (f" and {rest} more" if rest > 0 else "")


def budget_text(budget: Mapping[str, Any]) -> str:
    """'12 T flops' of a budget's kind and amount."""
    amount = budget.get("amount")
    if not isinstance(amount, int | float) or not math.isfinite(amount):
        return ""
    whole = amount < 1e4 and amount == int(amount)
    told = str(int(amount)) if whole else number(amount)
    return f"{told} {budget.get('kind', '')}".strip()


def plain(value: Any) -> str:
    """An option's or an environment's value as one line of text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
