"""Starlet: paired audio made on this machine, in StarNet's image.

Origin       composed and rendered here; nothing is downloaded
Size         114 pieces of 20 s by default (about 300 MB), 16 kHz mono FLAC
Instruments  clarinet, vibraphone, strings, piano and StarNet's two mixtures; violin, acoustic
             guitar, harp, flute
Sound        TimGM6mb.sf2 (GPL-2), carried by pretty_midi; any General MIDI SoundFont by option
Split        its own: ids say it (train-000, valid-000, test-000)
Pairing      a piece has a melody and an accompaniment, played as in StarNet, or it is a solo that
             all eight instruments play; ``Track.parts`` says which stems are counterparts
"""

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.files import cache_root, digest, sha256_of
from timbrebench.core.interfaces import Dataset, Progress
from timbrebench.core.records import SPLITS, Corpus, Task, Track
from timbrebench.datasets.sampling.fonts import soundfont_file
from timbrebench.datasets.starlet.instruments import INSTRUMENTS
from timbrebench.datasets.starlet.options import Options
from timbrebench.datasets.starlet.repertoire import Entry, entries

RATE = 16000  # Hz
# Names what the code makes. Code that is written anew and makes the same sound keeps the name, and
# with it all that was trained on that sound; a test holds the name to the code.
SOUND = "c81f074632778870"
_COUNTS = ("pieces", "valid_pieces", "test_pieces")  # decide how many files, not what is in them
_PATHS = ("soundfont", "test_soundfont", "midi")  # their content counts, not their place


class Starlet(Dataset):
    """The embedded corpus. Files lie in a folder named by all that decides their content."""

    options: Options

    def missing(self) -> str:
        try:
            self.corpus()
        except MissingData as error:
            return str(error)
        return ""

    def prepare(self, progress: Progress) -> None:
        from timbrebench.datasets.starlet.render import Job, render_all

        found, _ = self._entries()
        jobs = [
            Job(entry, track, self.options, _soundfont(self.options, entry.split))
            for entry, track in zip(found, self._tracks(found), strict=True)
        ]
        try:
            render_all([job for job in jobs if not job.done()], RATE, progress)
        except OSError as error:
            raise BenchError(
                f"starlet cannot be written to {self._base()}: {error.strerror}.",
                hint="Name another folder with --data-root or TIMBREBENCH_CACHE.",
            ) from error

    def corpus(self) -> Corpus:
        found, left_out = self._entries()
        tracks = self._tracks(found)
        return Corpus(
            name="starlet",
            tracks=tracks,
            groups=_groups(),
            fingerprint=digest([[_folder(t).name, t.id] for t in tracks]),
            rate=RATE,
            notes=_data_card(self.options, tracks, left_out),
        )

    def _entries(self) -> tuple[tuple[Entry, ...], dict[str, str]]:
        if self.options.tempo_low > self.options.tempo_high:
            raise BenchError("starlet.tempo_low is above starlet.tempo_high.")
        if self.options.midi and self.options.test_grammar != "same":
            raise BenchError("starlet.test_grammar is for composed pieces, not for starlet.midi.")
        return entries(self.options)

    def _tracks(self, found: tuple[Entry, ...]) -> tuple[Track, ...]:
        hashed = functools.cache(sha256_of)  # splits mostly share a SoundFont
        names = {s: f"starlet-{digest(_recipe(self.options, s, hashed))}" for s in SPLITS}
        folders = {split: self._base() / name for split, name in names.items()}
        return tuple(_track(entry, folders[entry.split] / entry.id) for entry in found)

    def _base(self) -> Path:
        return self.root or cache_root()


def _soundfont(options: Options, split: str) -> Path:
    """The SoundFont that a split is played with."""
    return soundfont_file(
        (options.test_soundfont if split == "test" else None) or options.soundfont
    )


def _recipe(options: Options, split: str, hashed: Callable[[Path], str]) -> dict[str, Any]:
    """All that decides what the files of a split hold, beside a MIDI file, whose id says it."""
    values = dataclasses.asdict(options)
    for name in (*_COUNTS, *_PATHS, *(() if split == "test" else ("test_grammar",))):
        del values[name]
    return values | {
        "code": SOUND,
        "composed": not options.midi,
        "soundfont": hashed(_soundfont(options, split)),
    }


def _folder(track: Track) -> Path:
    """A split's, whose name is the digest of its recipe."""
    return next(iter(track.stems.values())).parent.parent


def _track(entry: Entry, folder: Path) -> Track:
    return Track(
        id=entry.id,
        stems={name: folder / f"{name}.flac" for name in entry.parts},
        split=entry.split,
        seconds=round(entry.seconds * RATE) / RATE,
        score=folder / "score.mid",
        parts=entry.parts,
    )


# ---------------------------------------------------------------------------- tasks, data card


def _groups() -> dict[str, tuple[Task, ...]]:
    """StarNet's groups, conversions across its parts, the LDM report's instruments, generation,
    and pairs that play the two parts of one piece."""
    wind, strings, bars, keys = (Task("transfer", *p) for p in _STARNET_PAIRS)
    mixtures = ("clarinet+vibraphone", "strings+piano")
    there, back = Task("transfer", *mixtures), Task("transfer", mixtures[1], mixtures[0])
    return {
        "single": (wind, strings, bars, keys),
        "mixture": (there, back),
        "single-mixed": (
            dataclasses.replace(there, parts=(wind, bars)),
            dataclasses.replace(back, parts=(strings, keys)),
        ),
        "cross": tuple(Task("transfer", *pair) for pair in _CROSS_PAIRS),
        "piano-guitar-harp-violin": tuple(
            Task("transfer", *pair)
            for pair in permutations(("piano", "acoustic_guitar", "harp", "violin"), 2)
        ),
        "generate": tuple(Task("generate", name) for name in INSTRUMENTS),
        "pair": (Task("pair", "clarinet", "vibraphone"), Task("pair", "strings", "piano")),
    }


_STARNET_PAIRS = (
    ("clarinet", "strings"),
    ("strings", "clarinet"),
    ("vibraphone", "piano"),
    ("piano", "vibraphone"),
)
_CROSS_PAIRS = (
    ("clarinet", "piano"),
    ("piano", "clarinet"),
    ("strings", "vibraphone"),
    ("vibraphone", "strings"),
)


def _data_card(
    options: Options, tracks: tuple[Track, ...], left_out: dict[str, str]
) -> dict[str, Any]:
    """What a report says of the data."""
    seconds: dict[str, float] = defaultdict(float)
    for track in tracks:
        for name in track.stems:
            seconds[name] += track.seconds
    fonts = {_soundfont(options, split).name for split in SPLITS}
    card: dict[str, Any] = {
        "origin": "MIDI files, rendered here" if options.midi else "composed and rendered here",
        "pieces": {split: sum(t.split == split for t in tracks) for split in SPLITS},
        "seconds": {name: round(total, 1) for name, total in sorted(seconds.items())},
        "soundfont": ", ".join(sorted(fonts)),
        "test_grammar": options.test_grammar,
        "supports": "that a method learns and beats the controls, not a ranking of the field",
    }
    if "TimGM6mb.sf2" in fonts:
        card["licence"] = "TimGM6mb.sf2: GPL-2, by Tim Brechbill, carried by pretty_midi"
    if left_out:
        card["left_out"] = left_out
    return card
