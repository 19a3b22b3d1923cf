"""MAESTRO: piano performances, recorded and captured as MIDI at the same time.

Origin       Hawthorne et al. 2019, International Piano-e-Competition; version 2.0.0, through
             mirdata (maestro)
Size         200 hours; 44.1–48 kHz stereo WAV
               maestro-v2.0.0.zip  md5 7a6c23536ebcf3f50b1f00ac253886a7
Instruments  piano; with ``renders``, others that play its MIDI by a SoundFont (pairs)
Split        the published train, validation and test, in maestro-v2.0.0.json: no composition is
             in two. Where that file is not there: by hash (core.splits)
Licence      CC BY-NC-SA 4.0
Citation     Hawthorne et al., Enabling Factorized Piano Music Modeling and Generation with the
             MAESTRO Dataset, ICLR 2019
URL          https://magenta.tensorflow.org/datasets/maestro
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace

from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.files import cache_root, digest, sha256_of
from timbrebench.core.interfaces import Dataset, Needs, Progress
from timbrebench.core.options import words_of
from timbrebench.core.records import Corpus, Task, Track
from timbrebench.datasets.indexed.corpus import Entry, generation, index_corpus
from timbrebench.datasets.indexed.library import Library, Source, open_library, why_missing
from timbrebench.datasets.indexed.maestro_options import LICENCE, PAGE, Options
from timbrebench.datasets.sampling.fonts import soundfont_file
from timbrebench.datasets.sampling.performance import (
    Performance,
    perform_all,
    recipe_digest,
)
from timbrebench.datasets.sampling.programs import programs

_KINDS = ("audio", "midi")
SOURCE = Source(
    name="maestro",
    mirdata="maestro",
    marker="20[01][0-9]",
    remotes=("all", "metadata"),
    page=PAGE,
    kinds=_KINDS,
)
METADATA = "maestro-v2.0.0.json"
_SPLITS = {"train": "train", "validation": "valid", "test": "test"}


class Maestro(Dataset):
    """The piano, and what else plays its notes."""

    options: Options

    def missing(self) -> str:
        return why_missing(SOURCE, self.root) or self._unrendered()

    def needs(self) -> Needs:
        from timbrebench.datasets.indexed.preparing import needs

        if not self.options.fetch:
            return Needs()
        return needs(SOURCE, self.root, self.options.index, _KINDS, [METADATA])

    def prepare(self, progress: Progress) -> None:
        from timbrebench.datasets.indexed.preparing import prepare

        if self.options.fetch:
            prepare(SOURCE, self.root, self.options.index, _KINDS, progress, [METADATA])
        perform_all(list(self._performances(self._recorded()).values()), progress)

    def verify(self, progress: Progress) -> Mapping[str, str]:
        from timbrebench.datasets.indexed.checking import damaged

        wrong = damaged(SOURCE, self.root, self._library(), _KINDS, progress)
        return {**wrong, **self._wrong_renders(progress)}

    def _wrong_renders(self, progress: Progress) -> dict[str, str]:
        """Renders of what is there, of which no checksums are kept."""
        from timbrebench.core.audio import unusable

        wrong: dict[str, str] = {}
        try:
            performances = self._performances(self._recorded()).values() if self._programs else ()
        except MissingData:  # the recordings are told already
            return wrong
        for number, played in enumerate(performances, 1):
            stems = () if played.unfit() else played.stems.values()
            wrong |= {str(path): why for path in stems if (why := unusable(path))}
            progress("checking renders", number / len(performances))
        return wrong

    def checked(self) -> str:
        renders = "; each render is there and opens as audio" if self._programs else ""
        return self._library().checked(_KINDS) + renders

    def corpus(self) -> Corpus:
        corpus = self._recorded()
        if not self._programs:
            return corpus
        if missing := self._unrendered(corpus):
            raise MissingData(missing)
        return _with_renders(corpus, self._performances(corpus))

    def _recorded(self) -> Corpus:
        """The piano alone."""
        library = self._library()
        official = _official_split(library)

        def split(
            tracks: tuple[Track, ...], units: Mapping[str, str]
        ) -> tuple[Mapping[str, str], str]:
            from timbrebench.core.splits import assign

            if official:
                return official, f"as published ({METADATA})"
            told = f"by the hashes of names, since {METADATA} is not there"
            return assign(t.id for t in tracks), told

        notes = {"licence": LICENCE, "source": SOURCE.page}
        corpus = index_corpus(SOURCE, library, _entries(library), split, generation, notes)
        return library.told(corpus, _KINDS)

    def _library(self) -> Library:
        return open_library(SOURCE, self.root, self.options.index)

    @property
    def _programs(self) -> Mapping[str, int]:
        found = programs(self.options.renders, "maestro.renders")
        if "piano" in found:
            raise BenchError(
                "maestro.renders: piano is the recorded one.",
                hint="A rendered one is acoustic_grand_piano.",
            )
        return found

    def _performances(self, corpus: Corpus) -> dict[str, Performance]:
        """Track → what is rendered of it, where there is MIDI."""
        if not self._programs:
            return {}
        soundfont = soundfont_file(self.options.soundfont)
        recipe = [recipe_digest(), sha256_of(soundfont), self.options.rate]
        base = cache_root() / f"maestro-{digest(recipe)}"
        return {
            track.id: Performance(
                midi=track.score,
                folder=base / digest([track.id, sha256_of(track.score), track.seconds]),
                programs=self._programs,
                soundfont=soundfont,
                rate=self.options.rate,
                seconds=track.seconds,
            )
            for track in corpus.tracks
            if track.score is not None and track.score.is_file()
        }

    def _unrendered(self, corpus: Corpus | None = None) -> str:
        """How many renders are not there and the command that makes them; '' if all are."""
        if not self._programs:
            return ""
        performances = self._performances(corpus or self._recorded())
        waiting = sum(not p.done() for p in performances.values())
        if not waiting:
            return ""
        words = words_of("maestro", replace(self.options, fetch=False))
        where = shlex.join(["--data-root", str(self.root), *words])
        return (
            f"{waiting} of {len(performances)} pieces of 'maestro' are not rendered. "
            f"Run: bench data prepare maestro {where}"
        )


def _entries(library: Library) -> Iterator[Entry]:
    for id, files in library.files.items():
        audio, midi = files["audio"][0], files["midi"][0]
        if audio:
            yield Entry(id, {"piano": audio}, score=midi or "")


def _official_split(library: Library) -> dict[str, str]:
    """Track → split, as published; {} where the file that says it is not there."""
    if not (library.home / METADATA).is_file():
        return {}
    try:
        said = {id: library.track(id).split for id in library.files}
        return {id: _SPLITS[split] for id, split in said.items()}
    except (AttributeError, LookupError, TypeError, json.JSONDecodeError) as error:
        raise BenchError(
            f"{library.home / METADATA} cannot be read ({type(error).__name__}: {error}).",
            hint="Delete it, and run: bench data prepare maestro",
        ) from None


def _with_renders(corpus: Corpus, performances: Mapping[str, Performance]) -> Corpus:
    """The corpus with the rendered stems of each track that could be played."""
    tracks, left_out = [], dict(corpus.notes["left_out"])
    for track in corpus.tracks:
        performance = performances.get(track.id)
        unfit = performance.unfit() if performance else "it has no MIDI file"
        if performance is None or unfit:
            left_out[f"{track.id} (MIDI)"] = unfit
            tracks.append(track)
        else:
            tracks.append(replace(track, stems={**track.stems, **performance.stems}))
    names = sorted({name for p in performances.values() for name in p.programs})
    pairs = [pair for name in names for pair in (("piano", name), (name, "piano"))]
    folders = {id: p.folder.name for id, p in performances.items()}
    rate = next((p.rate for p in performances.values()), corpus.rate)
    return replace(
        corpus,
        tracks=tuple(tracks),
        groups={"all": tuple(Task("transfer", *p) for p in pairs), **generation(tuple(tracks))},
        fingerprint=digest([corpus.fingerprint, _base_name(performances), folders, names]),
        rate=min(corpus.rate, rate),
        notes={**corpus.notes, "left_out": left_out, "paired": True},
    )


def _base_name(performances: Mapping[str, Performance]) -> str:
    """Of the folder of all, which says how they were rendered."""
    return next((p.folder.parent.name for p in performances.values()), "")
