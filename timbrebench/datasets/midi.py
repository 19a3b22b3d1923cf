"""MIDI: your own MIDI files, played by a SoundFont: paired audio of any music.

    FOLDER/one.mid    FOLDER/album/two.midi    …

Origin       yours; rendered on this machine
Size         as many recordings as files × instruments; mono FLAC, 16 kHz by default
Instruments  any of General MIDI; each plays all notes of a file but the drums, held by the pedal
Sound        TimGM6mb.sf2 (GPL-2), carried by pretty_midi; any General MIDI SoundFont by option
Split        by the seeded hash of each id (core.splits)
Pairing      all recordings of a file are of the same notes
Licence      that of your files and of your SoundFont
"""

from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.files import cache_root, digest, sha256_of
from timbrebench.core.interfaces import Dataset, Progress
from timbrebench.core.records import Corpus, Task, Track
from timbrebench.datasets.sampling.fonts import soundfont_file
from timbrebench.datasets.sampling.midi_options import Options
from timbrebench.datasets.sampling.performance import (
    Performance,
    examine,
    perform_all,
    recipe_digest,
)
from timbrebench.datasets.sampling.programs import programs

_HINT = "Say -o midi.folder=DIR, where DIR holds .mid files."


class Midi(Dataset):
    """Recordings lie in a folder named by all that decides what is in them."""

    options: Options

    def missing(self) -> str:
        try:
            self.corpus()
        except BenchError as error:
            return str(error)
        return ""

    def prepare(self, progress: Progress) -> None:
        performances, _ = self._performances()
        perform_all(list(performances.values()), progress)

    def corpus(self) -> Corpus:
        from timbrebench.core.splits import assign, with_splits

        performances, left_out = self._performances()
        tracks = []
        for id, performance in performances.items():
            facts = examine(performance)
            if unfit := performance.unfit(facts):
                left_out[str(performance.midi.relative_to(self._folder))] = unfit
            else:
                tracks.append(_track(id, performance, float(str(facts["seconds"]))))
        if not tracks:
            first = "".join(f" ({name}: {why})" for name, why in list(left_out.items())[:1])
            raise MissingData(f"{self._folder}: no usable MIDI file{first}.", hint=_HINT)
        split = with_splits(tracks, assign(t.id for t in tracks))
        instruments = list(self._programs)
        return Corpus(
            name="midi",
            tracks=split,
            groups=_groups(instruments),
            fingerprint=digest([self._recipe(), instruments, {t.id: t.split for t in split}]),
            rate=self.options.rate,
            notes={"soundfont": self._soundfont.name, "paired": True, "left_out": left_out},
        )

    def _performances(self) -> tuple[dict[str, Performance], dict[str, str]]:
        """(id → what is made of a file, files left out and why)."""
        from timbrebench.datasets.sampling.midi import distinct_files

        base = (self.root or cache_root()) / f"midi-{digest(self._recipe())}"
        found, left_out = {}, {}
        for path, id, unfit in distinct_files(self._folder):
            if unfit:
                left_out[str(path.relative_to(self._folder))] = unfit
            else:
                found[id] = Performance(
                    midi=path,
                    folder=base / id,
                    programs=self._programs,
                    soundfont=self._soundfont,
                    rate=self.options.rate,
                    at_most=self.options.seconds,
                )
        return found, left_out

    @property
    def _folder(self) -> Path:
        given = self.options.folder
        if not given:
            raise MissingData("the dataset 'midi' was not told where your files are.", hint=_HINT)
        if not Path(given).is_dir():
            raise MissingData(f"the dataset 'midi' has no folder '{given}'.", hint=_HINT)
        return Path(given)

    @property
    def _soundfont(self) -> Path:
        return soundfont_file(self.options.soundfont)

    @property
    def _programs(self) -> Mapping[str, int]:
        found = programs(self.options.instruments, "midi.instruments")
        if not found:
            raise BenchError("midi.instruments is empty.", hint="Say piano/harp, for example.")
        return found

    def _recipe(self) -> list[object]:
        """All that decides how a file sounds, beside the file and the instrument."""
        sound = sha256_of(self._soundfont)
        return [recipe_digest(), sound, self.options.rate, self.options.seconds]


def _track(id: str, performance: Performance, seconds: float) -> Track:
    return Track(id, performance.stems, seconds=seconds, score=performance.score)


def _groups(instruments: list[str]) -> Mapping[str, tuple[Task, ...]]:
    """Every conversion, then generation."""
    conversions = tuple(Task("transfer", a, b) for a, b in permutations(instruments, 2))
    generated = tuple(Task("generate", name) for name in instruments)
    return ({"all": conversions} if conversions else {}) | {"generate": generated}
