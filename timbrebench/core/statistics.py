"""Intervals over test tracks, tests of differences, and what many tests at once are worth.

Tracks are the unit throughout: frames, windows and directions of one track are not independent.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

FEWEST = 3  # tracks below which no interval is given
EXACT = 12  # tracks up to which every change of signs is tried; above, DRAWS of them
DRAWS = 4096
LEVEL = 0.95


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


# ---------------------------------------------------------------------------- intervals


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of a mean by Student's t; None under three values.

    A percentile bootstrap of ten values covers about 90 % where this covers 95 %.
    """
    if len(values) < FEWEST:
        return None
    centre, df = mean(values), len(values) - 1
    variance = math.fsum((v - centre) ** 2 for v in values) / df
    return _around(centre, math.sqrt(variance / len(values)), df)


def crossed_interval(by_seed: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """The 95 % interval of a mean over tracks and seeds; None under three tracks.

    ``by_seed``: for each seed the values of the same tracks in the same order. Both are drawn from
    more (crossed random effects): the variance of the mean is (MS_tracks + MS_seeds - MS_rest) over
    the number of values, and never taken less than that of either alone; its degrees of freedom
    are Satterthwaite's (1946). One seed tells nothing of others: then it is over tracks alone.
    """
    seeds, tracks = len(by_seed), len(by_seed[0])
    if seeds == 1 or tracks < FEWEST:
        return t_interval(by_seed[0])
    of_seeds = [mean(values) for values in by_seed]
    of_tracks = [mean(values) for values in zip(*by_seed, strict=True)]
    centre = mean(of_seeds)
    ms_tracks = seeds * math.fsum((m - centre) ** 2 for m in of_tracks) / (tracks - 1)
    ms_seeds = tracks * math.fsum((m - centre) ** 2 for m in of_seeds) / (seeds - 1)
    rest = math.fsum(
        (value - of_seed - of_track + centre) ** 2
        for values, of_seed in zip(by_seed, of_seeds, strict=True)
        for value, of_track in zip(values, of_tracks, strict=True)
    )
    df_rest = (tracks - 1) * (seeds - 1)
    ms_rest = rest / df_rest
    total = max(ms_tracks + ms_seeds - ms_rest, ms_tracks, ms_seeds)
    if total == 0:
        return centre, centre
    parts = ms_tracks**2 / (tracks - 1) + ms_seeds**2 / (seeds - 1) + ms_rest**2 / df_rest
    return _around(centre, math.sqrt(total / (tracks * seeds)), max(total**2 / parts, 1.0))


def jackknife_interval(value: float, without: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of a distance between sets; None under three groups.

    ``without``: the distance with each group of clips left out in turn (delete-one jackknife,
    Efron & Stein 1981). It is about what the distance is on average for sets of this size: the
    bias of a small set is not taken away, and a bootstrap, which repeats clips, would add to it.
    """
    count = len(without)
    if count < FEWEST:
        return None
    centre = mean(without)
    variance = (count - 1) / count * math.fsum((v - centre) ** 2 for v in without)
    return _around(value, math.sqrt(variance), count - 1)


def pseudo_values(value: float, without: Mapping[str, float]) -> dict[str, float]:
    """Each track's share in a set distance: n·θ - (n - 1)·θ without it, whose mean over tracks is
    about θ (Tukey 1958). ``without``: the distance with each track left out in turn."""
    count = len(without)
    return {track: count * value - (count - 1) * other for track, other in without.items()}


def _around(centre: float, error: float, df: float) -> tuple[float, float]:
    from scipy.special import stdtrit

    half = float(stdtrit(df, (1 + LEVEL) / 2)) * error
    return centre - half, centre + half


# ---------------------------------------------------------------------------- differences


def separated(a: Mapping[str, float], b: Mapping[str, float]) -> bool | None:
    """Whether the paired differences over the same tracks exclude zero; None if unanswerable."""
    if set(a) != set(b):
        return None
    interval = t_interval([a[track] - b[track] for track in sorted(a)])
    return None if interval is None else not interval[0] <= 0 <= interval[1]


def swap_p(count: int, difference: Callable[[Sequence[bool]], float]) -> float:
    """How often two systems that are alike would differ by as much (two-sided p).

    ``difference`` is told for each of ``count`` tracks whether the two systems' answers to it
    change places, and gives the difference of the systems then. If they are alike, no change of
    places matters. All changes are tried up to 12 tracks, else 4,096 drawn with a fixed seed;
    p is never 0 (Phipson & Smyth 2010).
    """
    found = abs(difference([False] * count))
    if count <= EXACT:
        # A change and its opposite differ in sign only: the last track stays where it is.
        tried = [(*swaps, False) for swaps in itertools.product((False, True), repeat=count - 1)]
        as_much = sum(abs(difference(swaps)) >= found * (1 - 1e-9) for swaps in tried)
        return as_much / len(tried)
    from timbrebench.core.seeds import generator

    drawn = generator("swaps").random((DRAWS, count)) < 0.5
    as_much = sum(abs(difference(swaps)) >= found * (1 - 1e-9) for swaps in drawn.tolist())
    return (as_much + 1) / (DRAWS + 1)


def swap_p_of_means(a: Sequence[float], b: Sequence[float]) -> float:
    """:func:`swap_p` of the difference of two means over the same tracks."""
    differences = [x - y for x, y in zip(a, b, strict=True)]

    def difference(swaps: Sequence[bool]) -> float:
        pairs = zip(differences, swaps, strict=True)
        return math.fsum(-d if swap else d for d, swap in pairs)

    return swap_p(len(differences), difference)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values of several comparisons, corrected so that all of them together err in 5 % of
    cases where they are declared significant under 0.05 (Holm 1979)."""
    corrected: dict[str, float] = {}
    highest = 0.0
    for place, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, p * (len(p_values) - place)))
        corrected[name] = highest
    return {name: corrected[name] for name in p_values}
