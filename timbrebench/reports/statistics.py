"""Intervals over test tracks."""

import math
from collections.abc import Mapping, Sequence

FEWEST = 3  # tracks below which no interval is given


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of a mean by Student's t; None under three values.

    A percentile bootstrap of ten values covers about 90 % where this covers 95 %.
    """
    if len(values) < FEWEST:
        return None
    from scipy.special import stdtrit

    centre, df = mean(values), len(values) - 1
    variance = math.fsum((v - centre) ** 2 for v in values) / df
    half = float(stdtrit(df, 0.975)) * math.sqrt(variance / len(values))
    return centre - half, centre + half


def separated(a: Mapping[str, float], b: Mapping[str, float]) -> bool | None:
    """Whether the paired differences over the same tracks exclude zero; None if unanswerable."""
    if set(a) != set(b):
        return None
    interval = t_interval([a[track] - b[track] for track in sorted(a)])
    return None if interval is None else not interval[0] <= 0 <= interval[1]
