"""From an archive of StarNet to the stems that are asked for, while it is unpacked.

A stem is written to a scratch file, derived from, and deleted: the disk holds a few originals at a
time. What is done is in the inventory, and is not done again.
"""

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from timbrebench.core.archives import BadArchive, Limits, Member, Refused, members
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Progress
from timbrebench.core.inventory import Inventory, describe
from timbrebench.datasets.starnet.derive import Derivers
from timbrebench.datasets.starnet.layout import Selection, place_of

Result = dict[str, Any]
LIMITS = Limits(entries=10_000, total=200 << 30, member=2 << 30)


class Unpacking:
    """Of one archive into a folder of the root."""

    def __init__(
        self, inventory: Inventory, folder: str, asked: Selection, *, original: bool, limits: Limits
    ) -> None:
        self.inventory, self.folder, self.asked = inventory, folder, asked
        self.original, self.limits = original, limits
        self.root = inventory.root
        self.scratch = self.root / ".starnet-scratch"
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

    def done(self, place: str) -> bool:
        holds = self.inventory.holds
        made = holds(f"{place}.flac") and (not self.original or holds(f"{place}.wav"))
        return made or place in self.inventory.refused

    def run(self, archive: Path, progress: Progress) -> None:
        """What is lacking. What an archive has that cannot be taken, or that lies behind a damage,
        is refused in the inventory. BenchError where something could not be written."""
        for left in (self.root / self.folder).glob(".part-*"):  # of a process that was killed
            left.unlink()
        shutil.rmtree(self.scratch, ignore_errors=True)
        try:
            self._all(archive, progress)
        except BadArchive as error:  # it was verified: it will not be better the next time
            self._refuse(archive.name, error.what)
            for place in {p for p in self.places if self.asked.place(p) and not self.done(p)}:
                self._refuse(place, "its archive is damaged there")
            self.inventory.note(self.note, self.places)
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)
        if self.failed:
            raise BenchError(f"{self.failed[0]}.", hint="What was made is kept; run it again.")

    def _all(self, archive: Path, progress: Progress) -> None:
        lacking = self.lacking()
        with Derivers() as derivers:
            found = members(archive, self._refuse, limits=self.limits, progress=progress)
            for member in found:
                place = place_of(member.name, self.folder)
                if place is None:
                    continue
                self.places.append(place)
                if self.asked.place(place) and not self.done(place):
                    self._one(member, place, derivers.submit)
                    if lacking is not None:
                        lacking.discard(place)
                if self.failed or lacking == set():
                    return  # what is behind is not asked for
        self.inventory.note(self.note, self.places)

    def _one(
        self,
        member: Member,
        place: str,
        submit: Callable[[Path, Path, Callable[[Result], None]], Future[None]],
    ) -> None:
        scratch = self.scratch / f"{place.replace('/', '-')}.wav"
        try:
            member.write_to(scratch)
        except Refused as error:
            self._refuse(place, str(error))
            return
        target = self.root / f"{place}.flac"
        submit(scratch, target, lambda result: self._finish(place, scratch, result))

    def _finish(self, place: str, scratch: Path, result: Result) -> None:
        """Writes down what came of a stem. In a thread."""
        if "failed" in result:
            self.failed.append(f"{place}: {result['failed']}")
        elif "refused" in result:
            self._refuse(place, result["refused"])
        else:
            original = describe(scratch) if self.original else None
            if original:
                scratch.replace(self.root / f"{place}.wav")
            with self.lock:
                self.inventory.add(f"{place}.flac", **result)
                if original:
                    self.inventory.add(f"{place}.wav", **original)
        scratch.unlink(missing_ok=True)

    def _refuse(self, name: str, reason: str) -> None:
        with self.lock:
            if name not in self.inventory.refused:
                self.inventory.refuse(name, reason)
