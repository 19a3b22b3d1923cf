"""Which tracks train, choose and test. Always by track, never by a piece of one."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.files import digest
from timbrebench.core.records import SPLITS, Corpus, Track
from timbrebench.core.seeds import seed_of

_LONGEST = 200  # characters of --split in a data card
_FORMS = "Write all, seed=N or valid=TRACK,…;test=TRACK,… (the rest trains)."


def assign(
    track_ids: Iterable[str], seed: int = 0, valid: float = 0.1, test: float = 0.1
) -> dict[str, str]:
    """Track → split, by where the seeded hash of its name falls: another track changes nothing.

    A share above 0 gets at least one track where there are three or more; of two tracks one
    trains and one tests, a single one trains. So in a small corpus the tracks next in order stand
    in for a split that none fell into, until one does.
    """
    places = sorted((_place(seed, id), id) for id in set(track_ids))
    spare = len(places) - 1  # one always trains
    tests = min(_count(places, 0.0, test), spare - (valid > 0 and spare > 1))
    valids = min(_count(places[tests:], test, test + valid), spare - tests)
    splits = ["test"] * tests + ["valid"] * valids
    splits += ["train"] * (len(places) - len(splits))
    return {id: split for (_, id), split in zip(places, splits, strict=True)}


def _place(seed: int, track_id: str) -> float:
    """0 to 1."""
    return seed_of("split", seed, track_id) / 2**64


def _count(places: Sequence[tuple[float, str]], low: float, high: float) -> int:
    """Of the tracks from the first on that lie below ``high``; one at least, for any share."""
    below = sum(place < high for place, _ in places)
    return max(1, below) if high > low else 0


def assign_tracks(
    tracks: Sequence[Track], seed: int = 0, valid: float = 0.1, test: float = 0.1
) -> dict[str, str]:
    """As :func:`assign`: by units, where tracks have any; else for each instrument's tracks apart
    where these are unpaired."""
    if any(t.unit for t in tracks):
        units = {t.id: t.unit or t.id for t in tracks}
        assigned = assign(units.values(), seed, valid, test)
        return {id: assigned[unit] for id, unit in units.items()}
    strata: dict[str, list[str]] = defaultdict(list)
    for track in tracks:
        strata["" if len(track.stems) > 1 else next(iter(track.stems), "")].append(track.id)
    parts = (assign(ids, seed, valid, test) for ids in strata.values())
    return {id: split for part in parts for id, split in part.items()}


def with_splits(tracks: Sequence[Track], splits: Mapping[str, str]) -> tuple[Track, ...]:
    """The tracks that ``splits`` names, in their new split."""
    kept = (t for t in tracks if t.id in splits)
    return tuple(dataclasses.replace(t, split=splits[t.id]) for t in kept)


def apply_split(corpus: Corpus, text: str) -> Corpus:
    """The corpus with the split that ``--split`` says; '' leaves its own. Another split is
    another fingerprint."""
    if not text:
        return corpus
    splits = parse_split(text, corpus.tracks)
    if splits == {t.id: t.split for t in corpus.tracks}:
        return corpus
    return dataclasses.replace(
        corpus,
        tracks=with_splits(corpus.tracks, splits),
        fingerprint=digest([corpus.fingerprint, splits]),
        notes={**corpus.notes, "split": _told(text, corpus.tracks)},
    )


def _told(text: str, tracks: Sequence[Track]) -> str:
    """For the data card: what the corpus itself keeps apart may be in two splits now."""
    whole = text == "all" or (text.startswith("seed=") and any(t.unit for t in tracks))
    told = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"--split {told}" + ("" if whole else ", by track, whatever is told apart otherwise")


def parse_split(text: str, tracks: Sequence[Track]) -> dict[str, str]:
    """Track → split, as ``--split`` says.

    ``all``: every track tests. ``seed=N``: the shares of another hash. ``valid=A,B;test=C``: these,
    and the rest trains; with ``train=…`` too, tracks that are not named are left out.
    """
    if text == "all":
        return dict.fromkeys((t.id for t in tracks), "test")
    if text.startswith("seed="):
        return assign_tracks(tracks, seed=_whole_number(text.removeprefix("seed=")))
    lists = _lists(text)
    rest = None if "train" in lists else "train"
    named = _named(lists, {t.id for t in tracks})
    splits = {t.id: named.get(t.id, rest) for t in tracks}
    return {id: split for id, split in splits.items() if split}


def _lists(text: str) -> dict[str, list[str]]:
    """'valid=A,B;test=C' → {'valid': ['A', 'B'], 'test': ['C']}."""
    lists: dict[str, list[str]] = {}
    for clause in filter(None, text.split(";")):
        split, equals, ids = clause.partition("=")
        if not equals or split.strip() in lists:
            raise BenchError(f"'{text}' is no split.", hint=_FORMS)
        if split.strip() not in SPLITS:
            raise UnknownName("split", split.strip(), SPLITS, hint=_FORMS)
        lists[split.strip()] = [id.strip() for id in ids.split(",") if id.strip()]
    return lists


def _named(lists: Mapping[str, Sequence[str]], known: set[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for split, ids in lists.items():
        for id in ids:
            if id not in known:
                raise UnknownName("track", id, known, hint="It stands in --split.")
            if named.setdefault(id, split) != split:
                raise BenchError(f"--split puts the track '{id}' into {named[id]} and {split}.")
    return named


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BenchError(f"'seed={text}' is no split.", hint=_FORMS) from None
