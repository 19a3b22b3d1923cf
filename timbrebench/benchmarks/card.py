"""A run's data card: how its instruments sound, and recordings that are there twice."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrebench.core.errors import BenchError
from timbrebench.core.records import Corpus, Task, Track

if TYPE_CHECKING:
    from timbrebench.core.sounding import Sound

TOLD = 3  # recordings that an error names


def instruments_of(tasks: Iterable[Task]) -> list[str]:
    """All that the tasks touch, the parts of derived ones too."""
    return sorted({end for task in tasks for each in (task, *task.direct) for end in each.ends})


def check_duplicates(card: Mapping[str, Any], corpus: str) -> None:
    """BenchError where a recording is in two splits."""
    found = card.get("duplicates_across_splits", [])
    if not found:
        return
    more = f" and {len(found) - TOLD} more" if len(found) > TOLD else ""
    raise BenchError(
        f"{corpus} has the same sound in two splits: {'; '.join(found[:TOLD])}{more}.",
        hint="Take one out, move it with --split, or run with --allow-duplicates.",
    )


def check_files(corpus: Corpus, instruments: Sequence[str], label: str) -> None:
    """BenchError where a file's very content is in two splits: what is left to compare where
    the recordings could not be listened to. BenchError where not even that can be done."""
    from timbrebench.core.fingerprint import content_hashes  # few runs come here

    stems = [(t, i) for t in corpus.tracks for i in instruments if i in t.stems]
    try:
        hashes = content_hashes({t.stems[i] for t, i in stems})
    except OSError as error:
        raise BenchError(
            f"{label} cannot be searched for the same sound in two splits: "
            f"{error.filename}: {error.strerror}.",
            hint="Mend it, or run with --allow-duplicates.",
        ) from error
    across, _ = _twice((t, i, hashes[t.stems[i]]) for t, i in stems)
    check_duplicates({"duplicates_across_splits": across}, label)


# ---------------------------------------------------------------------------- in a worker


def card_of(
    corpus: Corpus,
    instruments: Sequence[str],
    sounds: Mapping[Path, "Sound"],
    bad: Mapping[Path, str],
) -> dict[str, Any]:
    """What is told of the instruments' stems: a row an instrument, what is there twice (across
    splits and within one), what cannot be read."""
    stems = [(t, i) for t in corpus.tracks for i in instruments if i in t.stems]
    heard = [(t, i, sounds[t.stems[i]]) for t, i in stems if t.stems[i] in sounds]
    across, within = _twice((t, i, sound.content) for t, i, sound in heard if sound.sounds)
    return {
        "stems": {i: _row([(t, s) for t, name, s in heard if name == i]) for i in instruments},
        "duplicates_across_splits": across,
        "duplicates_within_a_split": within,
        "unreadable": {f"{t.id} {i}": bad[t.stems[i]] for t, i in stems if t.stems[i] in bad},
    }


def _row(heard: Sequence[tuple[Track, "Sound"]]) -> dict[str, Any]:
    from timbrebench.core.sounding import db_of

    seconds = sum(sound.seconds for _, sound in heard)
    power = sum(sound.power * sound.seconds for _, sound in heard) / max(seconds, 1e-9)
    silent = sum(sound.silent * sound.seconds for _, sound in heard) / max(seconds, 1e-9)
    lengths: Counter[str] = Counter()
    for track, sound in heard:
        lengths[track.split] += sound.seconds  # type: ignore[assignment]
    return {
        "tracks": dict(Counter(track.split for track, _ in heard)),
        "seconds": {split: round(total, 1) for split, total in lengths.items()},
        "rms_db": round(db_of(power), 1),
        "peak_db": round(db_of(max((s.peak for _, s in heard), default=0.0) ** 2), 1),
        "silent_share": round(silent, 4),
    }


def _twice(stems: Iterable[tuple[Track, str, str]]) -> tuple[list[str], list[str]]:
    """(recordings that several splits have, those that one has several times), of stems with what
    tells their contents apart."""
    same: dict[str, list[tuple[Track, str]]] = defaultdict(list)
    for track, instrument, content in stems:
        same[content].append((track, instrument))
    across, within = [], []
    for twins in same.values():
        told = " = ".join(f"{track.id} {name} ({track.split})" for track, name in twins)
        if len({track.split for track, _ in twins}) > 1:
            across.append(told)
        elif len(twins) > 1:
            within.append(told)
    return across, within
