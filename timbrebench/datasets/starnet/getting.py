"""What is asked for of StarNet in a folder, what of it is there, and how the rest is got."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from timbrebench.core.archives import Limits
from timbrebench.core.errors import BenchError
from timbrebench.core.fetched import let_go
from timbrebench.core.fetching import Remote, check_space, fetch, to_fetch
from timbrebench.core.interfaces import Needs, Progress
from timbrebench.core.inventory import Inventory
from timbrebench.datasets.starnet.derive import Derivers
from timbrebench.datasets.starnet.layout import FOLDERS, files_of, selection, told_tracks, track_of
from timbrebench.datasets.starnet.options import Options
from timbrebench.datasets.starnet.unpack import Unpacking, scratch

# Bytes of WAV in a byte of archive, at the most. Stems of the test set pack to 0.83 to 0.93.
_EXPANSION = 1.5
_REDUCED = 16_000 / (2 * 44_100)  # size of a 16 kHz mono WAV, which its FLAC stays under
_SCRATCH = 1 << 30  # bytes for the originals at hand while they are derived from
_ASKED = "asked for"  # what the inventory calls the requests that prepare had


class Getting:
    """Of StarNet into a root. ``archives``: by the folder that they unpack to."""

    def __init__(
        self, options: Options, root: Path, archives: Mapping[str, Remote], limits: Limits
    ) -> None:
        self.options, self.root, self.archives, self.limits = options, root, archives, limits
        self.inventory = Inventory(root, "starnet")

    def works(self, options: Options | None = None) -> list[tuple[Unpacking, Remote]]:
        """The archives of which something is asked for and not there."""
        options = options or self.options
        return [
            (work, self.archives[work.folder])
            for work in self._unpackings(options)
            if work.lacking() != set() and not self._users_own(work.folder)
        ]

    def _unpackings(self, options: Options) -> Iterator[Unpacking]:
        asked = selection(options)
        folders = {FOLDERS[space] for space in asked.spaces}
        for folder in (f for f in self.archives if f in folders):
            yield Unpacking(
                self.inventory, folder, asked, original=options.original, limits=self.limits
            )

    def own_files(self) -> Iterator[Path]:
        """Of the stems that lie there, those that the user put there."""
        found = (path for _, _, path in files_of(self.root, self.options.original))
        return (p for p in found if str(p.relative_to(self.root)) not in self.inventory.files)

    def _users_own(self, folder: str) -> bool:
        """Whether the user put the stems there: in the folder, or all of them in the root."""
        if _begun(folder) in self.inventory.notes:
            return False
        return any(path.parent in (self.root, self.root / folder) for path in self.own_files())

    def unfinished(self) -> Options | None:
        """Of what was asked for, what is not all there; None where all of it is, or nothing was
        asked for."""
        return next((asked for asked in self._requests() if self.works(asked)), None)

    def _requests(self) -> list[Options]:
        """What must be there: what the options name, or else what ``prepare`` was asked for."""
        asked = [Options(**request) for request in self.inventory.notes.get(_ASKED, [])]
        if asked and (self.options.stems, self.options.tracks) != ("all", "all"):
            return [self.options]
        return [replace(a, original=True) for a in asked] if self.options.original else asked

    def needs(self) -> Needs:
        """One archive after the other, each deleted before the next comes unless it is kept."""
        stay, most, download = 0.0, 0.0, 0
        for work, remote in self.works():
            fetched, whole = to_fetch(remote, self.root), remote.size or 0
            of_wav = _REDUCED + self.options.original
            made = max(0.0, whole * _EXPANSION * work.asked.share * of_wav - self._held(work))
            most = max(most, stay + made + fetched + min(_SCRATCH, whole))
            stay += made + fetched * self.options.keep_archives
            download += fetched
        return Needs(download, round(most))

    def _held(self, work: Unpacking) -> int:
        """Bytes that were made already of what is asked of an archive."""
        files = self.inventory.files.items()
        return sum(known["size"] for name, known in files if work.wants(name))

    def run(self, progress: Progress) -> None:
        """One archive after the other: fetched, unpacked into stems, deleted."""
        self._check_asked()
        if not self.works():
            return
        check_space(self.root, self.needs().disk or 0, "starnet")
        with self.inventory.locked(), scratch(self.root), Derivers() as derivers:
            self._note_request()
            for work, remote in self.works():
                self.inventory.note(_begun(work.folder), True)
                archive = fetch(remote, self.root, progress=progress, passing=True)
                work.run(archive, derivers, progress)
                if not self.options.keep_archives:
                    let_go(archive)
            self._check_asked()

    def _check_asked(self) -> None:
        """BenchError where the archives are known, and have no track that is asked for."""
        notes = self.inventory.notes
        known: list[list[str] | None] = [notes.get(w.note) for w in self._unpackings(self.options)]
        tracks = {track_of(place) for places in known for place in places or ()}
        if None in known or not tracks or any(map(selection(self.options).track, tracks)):
            return
        raise BenchError(
            f"starnet has no track {self.options.tracks}.", hint=f"It has {told_tracks(tracks)}."
        )

    def _note_request(self) -> None:
        request = {k: v for k, v in asdict(self.options).items() if k != "keep_archives"}
        asked: list[dict[str, Any]] = self.inventory.notes.get(_ASKED, [])
        if request not in asked:
            self.inventory.note(_ASKED, [*asked, request])

    def verify(self, progress: Progress) -> dict[str, str]:
        """File → what is wrong with it: what was made, what was not, and the user's own beside."""
        from timbrebench.core.audio import unusable

        wrong = self.inventory.verify(progress)
        for path in self.own_files():
            if reason := unusable(path):
                wrong[str(path.relative_to(self.root))] = reason
        for work, archive in (w for request in self._requests() for w in self.works(request)):
            lacking = work.lacking()
            if lacking is None:
                wrong[archive.name] = "not all that was asked for was made of it"
            for place in sorted(lacking or ()):
                if not {f"{place}.flac", f"{place}.wav"} & wrong.keys():
                    wrong[f"{place}.flac"] = "it was not made"
        return wrong


def _begun(folder: str) -> str:
    """What the inventory calls that a folder is prepare's own."""
    return f"begun {folder}"


def words(options: Options) -> tuple[str, ...]:
    """How a command line says the options."""
    given = {"--stems": options.stems, "--tracks": options.tracks}
    found = [word for name, value in given.items() if value != "all" for word in (name, value)]
    return (*found, *(("-o", "starnet.original=true") if options.original else ()))


def command(options: Options, root: Path | None) -> str:
    """The command line that gets what the options ask for."""
    start = ("bench", "data", "prepare", "starnet", "--data-root", str(root or "DIR"))
    return shlex.join((*start, *words(options)))
