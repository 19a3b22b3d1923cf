"""YouTube: recordings that a list of yours names, fetched by yt-dlp.

    ROOT/youtube/INSTRUMENT/NAME.flac    ROOT/youtube/titles.json    ROOT/youtube/refused.json

Origin       the addresses of your list (CSV: instrument, title, url)
Size         at most 30 minutes a recording; 22 050 Hz mono FLAC (79 MB an hour at the most), twice
Instruments  those of your list
Split        for each instrument by the seeded hash of each name (core.splits)
Pairing      none
Licence      that of each recording: a list is no permission. See your law and the site's terms
After        Prioteasa & Stempel-Hauburger 2025: silence under 20 dB trimmed, at most 1800 s, and
             every recording as long as the shortest, so that instruments are balanced
Names        NAME is a hash of the site's own id, never a title; titles are data, in titles.json
"""

import re
import shlex
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

from timbrebench.core.alone import alone
from timbrebench.core.errors import BenchError, MissingData, shown
from timbrebench.core.fetching import current
from timbrebench.core.files import cache_root, read_json, sha256_of, write_json
from timbrebench.core.interfaces import Dataset, Needs, Progress
from timbrebench.core.records import Corpus, Task, Track
from timbrebench.datasets.youtube.hosts import EVERYWHERE
from timbrebench.datasets.youtube.keeping import Keeper
from timbrebench.datasets.youtube.options import Options, given, words
from timbrebench.datasets.youtube.rows import Refusals, read_list
from timbrebench.datasets.youtube.taking import take_all

LICENCE = "that of each recording"
_TOLD = 10_000  # refusals that are written down
_NAME = re.compile(r"[0-9a-f]{32}\.(flac|mp3)")


class YouTube(Dataset):
    """A list's recordings; only ``prepare`` touches the network."""

    options: Options

    def missing(self) -> str:
        try:
            self._titles()
        except BenchError as error:
            return str(error)
        return ""

    def needs(self) -> Needs:
        if self._csv is None:
            return Needs()
        most = f"at most {self.options.max_mib} MiB for each row of the list"
        return Needs(unknown=f"{most} that is not kept yet; how much is not known beforehand")

    def prepare(self, progress: Progress) -> None:
        csv = self._csv
        if csv is None:
            raise BenchError("no list of recordings was named.", hint="Say -o youtube.csv=FILE.")
        with alone(self._base, "youtube"):
            self._prepare(csv, progress)

    def _prepare(self, csv: Path, progress: Progress) -> None:
        keeper = Keeper(self._base, self.options, self._proxy())
        networks = EVERYWHERE if self.options.allow_private else ()
        unread, refused = Refusals(_TOLD), Refusals(_TOLD)
        rows = read_list(csv, self.options.rows, networks, unread)
        taken = take_all(rows, keeper, refused, progress)
        refused.then(unread)  # what was tried is told first
        if not taken:
            line, reason = min(refused.told.items(), default=(0, ""))
            first = f" (line {line}: {reason})" if reason else ""
            raise BenchError(f"{csv}: none of its {len(refused)} rows gave a recording{first}.")
        self._settle(csv, keeper, taken, refused, progress)
        keeper.sweep(row.url for row in rows)

    def corpus(self) -> Corpus:
        from timbrebench.core.fingerprint import seal
        from timbrebench.core.splits import assign_tracks, with_splits
        from timbrebench.core.usable import probe_all

        titles = self._titles()
        files = {name: self._file(name, of) for name, of in titles["recordings"].items()}
        usable, unusable = probe_all(files.values(), self._base)
        tracks = tuple(
            Track(f"{of['instrument']}/{name}", {of["instrument"]: files[name]}, seconds=seconds)
            for name, of in sorted(titles["recordings"].items())
            for seconds, _ in [usable.get(files[name], (0.0, 0))]
            if seconds
        )
        if not tracks:
            raise MissingData(f"{self._base}: no usable recording. {self._hint}")
        tracks, fingerprint, copies = seal(with_splits(tracks, assign_tracks(tracks)))
        return Corpus(
            name="youtube",
            tracks=tracks,
            groups=_groups(tracks),
            fingerprint=fingerprint,
            rate=min(rate for _, rate in usable.values()),
            notes={
                "licence": LICENCE,
                "longest": titles["seconds"],
                "refused": len(titles["refused"]),
                "left_out": {**titles["refused"], **unusable, **copies},
            },
        )

    def _proxy(self) -> str:
        """That of --proxy. BenchError where the options of the command cannot be followed."""
        how = current()
        if how.mirror or how.source:
            raise BenchError(
                "youtube: each recording comes from the address in your list; "
                "--mirror and --from cannot be followed."
            )
        if how.proxy and not self.options.allow_private:
            raise BenchError(
                "youtube: behind a proxy nobody can check that an address is public.",
                hint="To use it all the same: --allow-private",
            )
        return how.proxy

    def _settle(
        self,
        csv: Path,
        keeper: Keeper,
        taken: Mapping[str, dict[str, Any]],
        refused: Refusals,
        progress: Progress,
    ) -> None:
        """Cuts every recording to the common length and writes down what there is."""
        from timbrebench.datasets.youtube.sound import cut

        before, longest = self._noted("recordings"), self.options.seconds
        if self.options.balance:
            longest = min(longest, *(of["seconds"] for of in taken.values()))
        for number, (name, of) in enumerate(taken.items(), 1):
            path, source = self._file(name, of), keeper.path(name)
            made = {"cut": min(longest, of["seconds"]), "source": of["sha256"]}
            if not _is_whole(path, before.get(name), made):
                (self._base / "titles.json").unlink(missing_ok=True)  # it is true no more
                cut(source, path, made["cut"])
            of |= made | {"sha256": sha256_of(path)}
            progress("cutting recordings", number / len(taken))
        self._sweep({self._file(name, of) for name, of in taken.items()})
        told = refused.of(shown(csv.name))
        options = given(self.options) | {"csv": str(csv.absolute())}
        by = {"csv": sha256_of(csv), "options": options}
        card = {"by": by, "settings": self._settings, "seconds": longest}
        write_json(self._base / "refused.json", told)
        write_json(self._base / "titles.json", {**card, "recordings": taken, "refused": told})

    def _noted(self, what: str) -> Mapping[str, Any]:
        """What was written down of a ``prepare`` with these options; {} where there is none."""
        try:
            titles = read_json(self._base / "titles.json")
            same = titles["settings"] == self._settings
            return dict(titles[what]) if same else {}
        except (OSError, ValueError, LookupError, TypeError):
            return {}

    def verify(self, progress: Progress) -> Mapping[str, str]:
        wrong, recordings = {}, self._titles()["recordings"]
        for number, (name, of) in enumerate(recordings.items(), 1):
            path = self._file(name, of)
            if not path.is_file():
                wrong[str(path)] = "it is not there"
            elif sha256_of(path) != of["sha256"]:
                wrong[str(path)] = "it was changed (another sha256)"
            progress("checking recordings", number / len(recordings))
        return wrong

    def checked(self) -> str:
        return "each file has the SHA-256 that prepare wrote down"

    def again(self) -> tuple[str, ...]:
        """All that is not a default here, or was not when the same list was prepared: with another
        limit, or without private hosts, less of it would be taken."""
        told, by, csv = given(self.options), self._noted("by"), self._csv
        before = by.get("options")
        same = csv is None or (csv.is_file() and sha256_of(csv) == by.get("csv"))
        if same and isinstance(before, dict):
            told = {k: v for k, v in before.items() if k in vars(Options())} | told
        return words(told)

    def _sweep(self, wanted: set[Path]) -> None:
        """Takes away cut files of other lists or lengths: they can be cut again."""
        for path in self._base.glob("[!.]*/*"):
            if path not in wanted and _NAME.fullmatch(path.name):
                path.unlink()

    def _file(self, name: str, of: Mapping[str, Any]) -> Path:
        return self._base / of["instrument"] / f"{name}.{self.options.format}"

    def _titles(self) -> Mapping[str, Any]:
        """What ``prepare`` wrote down, if it is of the list and the options that are asked for."""
        path = self._base / "titles.json"
        if self._csv and not self._csv.is_file():
            raise MissingData(f"there is no list {self._csv}.", hint="Say -o youtube.csv=FILE.")
        try:
            titles = read_json(path)
            recordings = titles["recordings"]
            known = titles["settings"] == self._settings
            same = self._csv is None or titles["by"]["csv"] == sha256_of(self._csv)
        except FileNotFoundError:
            raise MissingData(f"nothing is prepared in {self._base}.", hint=self._hint) from None
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise MissingData(f"{path} cannot be read ({error}).", hint=self._hint) from None
        if not known or not same or not isinstance(recordings, dict):
            what = "other options" if not known else "another list"
            raise MissingData(f"{self._base} was prepared with {what}.", hint=self._hint)
        return dict(titles)

    @property
    def _settings(self) -> list[Any]:
        options = self.options
        return [options.rate, options.trim_db, options.seconds, options.balance, options.format]

    @property
    def _base(self) -> Path:
        return (self.root or cache_root()) / "youtube"

    @property
    def _csv(self) -> Path | None:
        return Path(self.options.csv).expanduser() if self.options.csv else None

    @property
    def _hint(self) -> str:
        where = ("--data-root", str(self.root)) if self.root else ()
        again = self.again()
        if not any(word.startswith("youtube.csv=") for word in again):
            again = ("-o", "youtube.csv=FILE", *again)
        return "Run: " + shlex.join(["bench", "data", "prepare", "youtube", *where, *again])


def _is_whole(path: Path, before: Any, made: Mapping[str, Any]) -> bool:
    """Whether a cut file is the one that was made, of that length and that kept source."""
    if not isinstance(before, dict):
        return False
    known = all(before.get(key) == value for key, value in made.items()) and path.is_file()
    return known and sha256_of(path) == before.get("sha256")


def _groups(tracks: tuple[Track, ...]) -> Mapping[str, tuple[Task, ...]]:
    """Conversions between all instruments, then generation."""
    names = sorted({name for track in tracks for name in track.stems})
    conversions = tuple(Task("transfer", a, b) for a, b in permutations(names, 2))
    generated = tuple(Task("generate", name) for name in names)
    return ({"all": conversions} if conversions else {}) | {"generate": generated}
