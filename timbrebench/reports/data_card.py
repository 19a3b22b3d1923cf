"""What a run heard of its data, as text: a row an instrument, and what is there twice."""

from collections.abc import Mapping
from typing import Any

from timbrebench.reports import wording

Card = Mapping[str, Any]
TOLD = 20  # of what is there twice or cannot be read


def card_rows(corpus: Card) -> list[dict[str, str]]:
    """A row for each instrument that the run listened to."""
    stems: Mapping[str, Card] = _heard(corpus).get("stems", {})
    return [
        {
            "instrument": name,
            "tracks": wording.plain(row["tracks"]),
            "seconds": wording.plain(row["seconds"]),
            "rms": f"{row['rms_db']:.1f} dB",
            "peak": f"{row['peak_db']:.1f} dB",
            "silent": f"{row['silent_share']:.1%}",
        }
        for name, row in stems.items()
    ]


def card_notes(corpus: Card) -> list[str]:
    """What is wrong with the data; nothing where nothing is."""
    heard = _heard(corpus)
    unreadable = [f"{name}: {why}" for name, why in heard.get("unreadable", {}).items()]
    told = {
        "The same sound in several splits (allowed): ": heard.get("duplicates_across_splits", []),
        "The same sound several times: ": heard.get("duplicates_within_a_split", []),
        "Cannot be read: ": unreadable,
        "Not listened to: ": [heard["failed"]] if "failed" in heard else [],
    }
    return [f"{head}{wording.names_text(found, TOLD)}." for head, found in told.items() if found]


def known_beside(corpus: Card) -> dict[str, Any]:
    """What else is known of a corpus."""
    return {name: value for name, value in corpus.items() if name != "heard"}


def _heard(corpus: Card) -> Card:
    return corpus.get("heard") or {}
