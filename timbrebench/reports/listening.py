"""A few test items to listen to: source, reference, then every system's estimate."""

import base64
import hashlib
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from timbrebench.core import audio
from timbrebench.core.errors import BadAudio
from timbrebench.core.files import atomic_path
from timbrebench.core.results import ItemRecord
from timbrebench.reports import spectrogram
from timbrebench.reports.records import System
from timbrebench.reports.systems import Evidence
from timbrebench.reports.wording import number, rank_of

RATE = 16000  # Hz: what the metrics hear
SECONDS = 8.0  # of each clip, from its beginning
SCORES = 2  # under a clip


@dataclass(frozen=True)
class Card:
    """One clip to play, with its picture; ``reason`` says why there is none."""

    name: str
    role: str  # source | reference | method | control
    audio: str = ""  # URI: inline data, or a path relative to the page
    image: str = ""
    reason: str = ""
    scores: str = ""  # its own, on this track


@dataclass(frozen=True)
class ItemCards:
    """A test track of a task, by everyone who made an estimate of it."""

    dataset: str
    task: str
    track: str
    cards: tuple[Card, ...]


class Media:
    """Puts bytes into the page while they fit, then into a folder beside it."""

    def __init__(self, folder: Path, cap_bytes: int) -> None:
        self.folder, self.left = folder, cap_bytes
        self.used_folder = False

    def uris(self, contents: Sequence[tuple[bytes, str]]) -> list[str]:
        """URIs of (bytes, mime type) that stay together: all in the page, or all beside it."""
        size = sum(len(content) * 4 // 3 for content, _ in contents)
        if size > self.left:
            return [self._beside(content, mime) for content, mime in contents]
        self.left -= size
        return [data_uri(content, mime) for content, mime in contents]

    def _beside(self, content: bytes, mime: str) -> str:
        """A file named by its content: no name that others chose becomes a path."""
        name = f"{hashlib.sha256(content).hexdigest()[:24]}.{mime.partition('/')[2]}"
        with atomic_path(self.folder / name) as temporary:
            temporary.write_bytes(content)
        self.used_folder = True
        return f"{self.folder.name}/{name}"


def data_uri(content: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def listening_items(
    owned: dict[System, list[Evidence]], media: Media, *, max_items: int
) -> list[ItemCards]:
    """For every task its first ``max_items`` tracks by name, of those that most systems made.

    First items of all tasks come into the page before second ones, so that the cap on its
    size leaves every task something to play.
    """
    found = _estimates(owned)
    chosen = []
    for (dataset, fingerprint, task), by_track in found.items():
        tracks = sorted(by_track, key=lambda track: (-len(by_track[track]), track))
        for rank, track in enumerate(tracks[:max_items]):
            chosen.append((rank, dataset, fingerprint, task, track))
    made = {
        place: _item(place[1], place[3], place[4], found[place[1:4]][place[4]], media)
        for place in sorted(chosen, key=lambda place: place[0])
    }
    return [made[place] for place in chosen]


Made = tuple[System, ItemRecord, str]  # who, what, and its scores in words
Estimates = dict[str, list[Made]]  # by track


def _estimates(
    owned: dict[System, list[Evidence]],
) -> dict[tuple[str, str, str], Estimates]:
    """(dataset, its fingerprint, task) → estimates, each system by its first seed that ended."""
    found: dict[tuple[str, str, str], Estimates] = {}
    for system, cells in owned.items():
        made = next((e for e in cells if e.cell.items), None)
        if made is None:
            continue
        fingerprint = str(made.corpus.get("fingerprint", ""))
        for item in made.cell.items:
            place = found.setdefault((system.dataset, fingerprint, item.task), defaultdict(list))
            place[item.track].append((system, item, _scores(made.rows, item)))
    return found


def _scores(rows: Sequence[Mapping[str, Any]], item: ItemRecord) -> str:
    """The first measures, in the order of columns, that the estimate itself has."""
    own = [
        row
        for row in rows
        if (row["task"], row["item"], row["status"]) == (item.task, item.track, "ok")
        and row["higher_is_better"] is not None
    ]
    own.sort(key=lambda row: rank_of(row["metric"]))
    return ", ".join(f"{r['metric']} {number(r['value'], r['unit'])}" for r in own[:SCORES])


def _item(
    dataset: str,
    task: str,
    track: str,
    made: Sequence[Made],
    media: Media,
) -> ItemCards:
    """Source and reference once, then methods, then controls."""
    made = sorted(made, key=lambda entry: entry[0].control)  # stable: the order of the table
    given = [
        (Card("source", "source"), next((i.source for _, i, _ in made if i.source), None)),
        (
            Card("reference", "reference"),
            next((i.reference for _, i, _ in made if i.reference), None),
        ),
    ]
    own = [
        (
            Card(f"{system.label}{half}", "control" if system.control else "method", scores=scores),
            clip,
        )
        for system, item, scores in made
        for half, clip in _halves(item)
    ]
    wanted = [(card, path) for card, path in [*given, *own] if path is not None]
    return ItemCards(dataset, task, track, tuple(_filled(wanted, media)))


def _halves(item: ItemRecord) -> list[tuple[str, Path]]:
    """(what its name adds to the system's, clip): one clip, or the two halves of a pair."""
    if item.other is None:
        return [("", item.estimate)]
    a, _, b = item.task.partition(":")[2].partition("/")
    return [(f", {a}", item.estimate), (f", {b}", item.other)]


def _filled(wanted: Sequence[tuple[Card, Path]], media: Media) -> list[Card]:
    loaded = [_load(path) for _, path in wanted]
    clips = {str(i): clip for i, clip in enumerate(loaded) if isinstance(clip, np.ndarray)}
    pictures = spectrogram.images(clips, RATE)
    contents = [(_flac(clips[i]), "audio/flac") for i in clips]
    contents += [(pictures[i], "image/png") for i in clips]
    uris = media.uris(contents)
    audio_of = dict(zip(clips, uris, strict=False))
    image_of = dict(zip(clips, uris[len(clips) :], strict=True))
    return [
        replace(
            card,
            audio=audio_of.get(str(i), ""),
            image=image_of.get(str(i), ""),
            reason=clip if isinstance(clip, str) else "",
        )
        for i, ((card, _), clip) in enumerate(zip(wanted, loaded, strict=True))
    ]


def _load(path: Path) -> np.ndarray | str:
    """The beginning of the clip [n] at RATE, or why it cannot be played."""
    try:
        return audio.load(path, RATE, seconds=SECONDS)
    except BadAudio as error:
        return error.reason


def _flac(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    sf.write(file, samples, RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()
