"""From an archive of StarNet to the stems that are asked for, while it is unpacked.

A stem is written to a scratch file, derived from, and deleted: the disk holds a few originals at a
time. What is done is in the inventory, and is not done again.
"""

import contextlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timbrebench.core.archives import BadArchive, Limits, Member, Refused, members
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Progress
from timbrebench.core.inventory import Inventory, describe
from timbrebench.datasets.starnet.derive import Derivers
from timbrebench.datasets.starnet.layout import Selection, place_of

Result = dict[str, Any]
SCRATCH = ".starnet-scratch"
LIMITS = Limits(entries=10_000, total=200 << 30, member=2 << 30)


@contextlib.contextmanager
def scratch(root: Path) -> Iterator[None]:
    """A folder for originals at hand: empty at first, gone at the end."""
    shutil.rmtree(root / SCRATCH, ignore_errors=True)
    try:
        yield
    finally:
        shutil.rmtree(root / SCRATCH, ignore_errors=True)


class Unpacking:
    """Of one archive into a folder of the root."""

    def __init__(
        self, inventory: Inventory, folder: str, asked: Selection, *, original: bool, limits: Limits
    ) -> None:
        self.inventory, self.folder, self.asked = inventory, folder, asked
        self.original, self.limits = original, limits
        self.root = inventory.root
        self.scratch = self.root / SCRATCH
        self.lock = threading.Lock()  # the inventory is written by the derivers' threads
        self.places: list[str] = []  # that the archive has
        self.failed: list[str] = []

    @property
    def note(self) -> str:
        """What the inventory calls the list of places that the archive has."""
        return f"places of {self.folder}"

    def lacking(self) -> set[str] | None:
        """Places that are asked for and not done; None where the archive must be looked through
        to know them."""
        known = self.inventory.notes.get(self.note)
        places = self.asked.places(self.folder) if known is None else known
        if places is None:
            return None
        return {place for place in places if self.asked.place(place) and not self.done(place)}

    def wants(self, name: str) -> bool:
        """Whether a file below the root is one of those that it makes."""
        place, _, form = name.rpartition(".")
        here = place.startswith(f"{self.folder}/")
        return here and (form == "flac" or self.original) and self.asked.place(place)

    def done(self, place: str) -> bool:
        holds = self.inventory.holds
        made = holds(f"{place}.flac") and (not self.original or holds(f"{place}.wav"))
        return made or place in self.inventory.refused

    def run(self, archive: Path, derivers: Derivers, progress: Progress) -> None:
        """What is lacking. What an archive has that cannot be taken, or that lies behind a damage,
        is refused in the inventory. BenchError where something could not be written."""
        for left in (self.root / self.folder).glob(".part-*"):  # of a process that was killed
            left.unlink()
        try:
            whole, reason = self._all(archive, derivers, progress), ""
        except BadArchive as error:  # it was verified: it will not be better the next time
            whole, reason = True, error.what
        derivers.drain()
        if self.failed:
            raise BenchError(f"{self.failed[0]}.", hint="What was made is kept; run it again.")
        if reason:
            self._refuse(archive.name, reason)
            for place in {p for p in self.places if self.asked.place(p) and not self.done(p)}:
                self._refuse(place, "its archive is damaged there")
        if whole:
            self.inventory.note(self.note, self.places)

    def _all(self, archive: Path, derivers: Derivers, progress: Progress) -> bool:
        """Whether the archive was looked through to its end."""
        lacking = self.lacking()

        def refuse(name: str, reason: str) -> None:  # no place is called so
            self._refuse(f"{archive.name}: {name}", reason)

        for member in members(archive, refuse, limits=self.limits, progress=progress):
            place = place_of(member.name, self.folder)
            if place is None:
                continue
            if place in self.places:
                refuse(member.name, "another file of the archive is the same stem")
                continue
            self.places.append(place)
            if self.asked.place(place) and not self.done(place):
                self._one(member, place, derivers)
                if lacking is not None:
                    lacking.discard(place)
            if self.failed or lacking == set():
                return False  # what is behind is not asked for
        return True

    def _one(self, member: Member, place: str, derivers: Derivers) -> None:
        original = self.scratch / f"{place.replace('/', '-')}.wav"
        try:
            member.write_to(original)
        except Refused as error:
            self._refuse(place, str(error))
            return
        target = self.root / f"{place}.flac"
        derivers.submit(original, target, lambda result: self._finish(place, original, result))

    def _finish(self, place: str, original: Path, result: Result) -> None:
        """Writes down what came of a stem. In a thread."""
        if "failed" in result:
            self.failed.append(f"{place}: {result['failed']}")
        elif "refused" in result:
            self._refuse(place, result["refused"])
        else:
            kept = describe(original) if self.original else None
            if kept:
                original.replace(self.root / f"{place}.wav")
            with self.lock:
                self.inventory.add(f"{place}.flac", **result)
                if kept:
                    self.inventory.add(f"{place}.wav", **kept)
        original.unlink(missing_ok=True)

    def _refuse(self, name: str, reason: str) -> None:
        with self.lock:
            if name not in self.inventory.refused:
                self.inventory.refuse(name, reason)
