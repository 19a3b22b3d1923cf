"""The nouns of the benchmark as small frozen records. Light: no heavy import here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from timbrebench.core.errors import BenchError

if TYPE_CHECKING:
    import numpy as np

SPLITS = ("train", "valid", "test")
KINDS = ("transfer", "generate", "pair")


@dataclass(frozen=True, order=True)
class Task:
    """What a method is asked to do.

    ``transfer``: ``a`` is the source instrument, ``b`` the target. ``generate``: ``a`` is the
    instrument. ``pair``: ``a`` and ``b`` are played together. A transfer with ``parts`` is
    derived: its estimate is the sum of the estimates of its parts, and nothing is trained.
    """

    kind: str
    a: str
    b: str = ""
    parts: tuple["Task", ...] = ()

    @property
    def name(self) -> str:
        """As on a command line: 'clarinet:strings', 'generate:piano', 'pair:violin/guitar'."""
        if self.kind == "generate":
            return f"generate:{self.a}"
        if self.kind == "pair":
            return f"pair:{self.a}/{self.b}"
        return f"{'mixed:' if self.parts else ''}{self.a}:{self.b}"

    @property
    def folder(self) -> str:
        """The name as a folder's: letters, digits, '+', '-', '.' and '_' only."""
        return re.sub(r"[^\w+.-]", "_", self.name.replace(":", "-").replace("/", "-and-"))

    @property
    def source(self) -> str:
        """The instrument that goes in; empty where nothing does."""
        return self.a if self.kind == "transfer" else ""

    @property
    def target(self) -> str:
        """The instrument that should come out."""
        return self.b if self.kind == "transfer" else self.a

    @property
    def ends(self) -> tuple[str, ...]:
        """Its instruments, one or two."""
        return (self.a, self.b) if self.b else (self.a,)

    @property
    def direct(self) -> tuple["Task", ...]:
        """The tasks that a method itself has to do for this one."""
        return self.parts or (self,)


def parse_task(text: str) -> Task:
    """The task that a name of :attr:`Task.name`'s form means. Mixed tasks come from groups."""
    words = text.split(":")
    if len(words) == 2 and all(words):
        if words[0] == "generate":
            return Task("generate", words[1])
        if words[0] == "pair" and len(pair := words[1].split("/")) == 2 and all(pair):
            return Task("pair", pair[0], pair[1])
        if words[0] not in ("pair", "mixed"):
            return Task("transfer", words[0], words[1])
    raise BenchError(
        f"'{text}' is no task.",
        hint="Write source:target, generate:instrument, pair:a/b, or the name of a task group.",
    )


class Note(NamedTuple):
    """A written note. Times in seconds."""

    onset: float
    end: float
    pitch: int  # MIDI, 60 is middle C


@dataclass(frozen=True)
class Clip:
    """Audio with its rate, instrument and track."""

    samples: "np.ndarray"  # [n] float32, mono, about -1..1
    rate: int  # Hz
    instrument: str = ""
    track: str = ""
    notes: tuple[Note, ...] | None = None  # what is written; None where it was not asked for

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class Track:
    """One piece: a recording (stem) by each of its instruments, all of the same music."""

    id: str
    stems: Mapping[str, Path]  # instrument → audio file
    split: str = "train"
    seconds: float = 0.0
    score: Path | None = None  # the written notes, as MIDI, where they are known
    parts: Mapping[str, str] = field(default_factory=dict)  # instrument → part; empty: all the same
    unit: str = ""  # a player, an artist: all tracks of one are in one split
    # Of a copy of a training track (core.augment): what is done to the audio of its files.
    shift: int = 0  # semitones
    gain_db: float = 0.0

    def pairs(self, *instruments: str) -> bool:
        """Whether it has a stem of each, and all of them play the same notes."""
        same_part = len({self.parts.get(i, "") for i in instruments}) <= 1
        return same_part and set(instruments) <= set(self.stems)


@dataclass(frozen=True)
class Corpus:
    """Tracks with their split, and the tasks that they offer. An index: audio stays on disk."""

    name: str
    tracks: tuple[Track, ...]
    groups: Mapping[str, tuple[Task, ...]]  # task group → tasks; the first is the default
    fingerprint: str  # of the content and the split
    rate: int = 16000  # Hz, of the files
    notes: Mapping[str, Any] = field(default_factory=dict)  # what a report's data card says

    @property
    def instruments(self) -> tuple[str, ...]:
        return tuple(sorted({i for t in self.tracks for i in t.stems}))

    def tracks_of(self, split: str, *instruments: str) -> tuple[Track, ...]:
        """The tracks of a split that have a stem of each of the instruments, all of one part."""
        return tuple(t for t in self.tracks if t.split == split and t.pairs(*instruments))

    def tracks_together(self, split: str, *instruments: str) -> tuple[Track, ...]:
        """The tracks of a split that have a stem of each of the instruments, of any part."""
        return tuple(
            t for t in self.tracks if t.split == split and set(instruments) <= set(t.stems)
        )

    def track(self, id: str) -> Track:
        return next(t for t in self.tracks if t.id == id)

    def load(self, track: str, instrument: str, rate: int, seconds: float | None = None) -> Clip:
        """A stem as mono audio at ``rate`` Hz, cut to ``seconds`` if given."""
        from timbrebench.core import audio

        found = self.track(track)
        samples = audio.load(found.stems[instrument], rate, seconds=seconds)
        if found.shift or found.gain_db:
            from timbrebench.core.altering import altered

            samples = altered(samples, rate, found.shift, found.gain_db)
        return Clip(samples, rate, instrument, track)


@dataclass(frozen=True)
class Mels:
    """Log-mels as a method's network made them, and what undoes their normalisation."""

    values: Sequence["np.ndarray"]  # each [n_mels, frames], normalised
    spec: Any  # core.mel.MelSpec
    state: Mapping[str, float]  # core.mel.denormalise(values, state) gives log-mels
    lengths: Sequence[int]  # samples at spec.rate that each stands for


@dataclass(frozen=True)
class Budget:
    """The compute that a cell may use for training; its stages share it."""

    kind: str  # flops | steps | examples | seconds
    amount: float


@dataclass(frozen=True)
class Score:
    """One row: what was measured, on what, against what, and how it went."""

    metric: str  # the row's own name, such as jaccard_melodia16k_voiced
    task: str
    item: str  # a track, or '' for an aggregate over ``n`` items
    value: float | None  # None unless status is ok
    unit: str = ""
    higher_is_better: bool | None = None  # None: neither
    n: int | None = None  # items behind an aggregate, vectors behind a set distance
    status: str = "ok"  # ok | failed | missing | not_applicable
    reason: str = ""
    reference: str = ""  # what it was measured against
    details: Mapping[str, Any] = field(default_factory=dict)
