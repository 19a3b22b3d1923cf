"""The run folder: where everything is, and what of it is whole.

run.json            the last configuration, environment, and the cells that the folder shows
.verified.json      which models were found whole
.outdated           there while cells may have changed that scores and comparisons know nothing of
models/KEY/         stage.json, model.safetensors, curve.jsonl, log.txt (checkpoint.pt while
                    it trains)
cells/KEY/          cell.json, result.json, log.txt, estimates.json, estimates/TASK/TRACK.flac,
                    scores/METRIC-KEY.json
references/KEY/     the test stems that estimates are made from and compared with, as scored
comparisons.json    the declared comparisons of systems, and which scores they are made from
scores.csv, scores.jsonl   every row of every cell shown
"""

import contextlib
import errno
import fcntl
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from timbrebench.benchmarks import forms
from timbrebench.benchmarks.forms import read, read_or_none
from timbrebench.core import files
from timbrebench.core.errors import BenchError

SCHEMA = 1
MAKE_ROOM = "Free some, then give the same command: what is done is kept."
_VERIFIED = ".verified.json"
_UNWRITABLE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG),
)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Store:
    """Paths of a run folder."""

    root: Path

    def model(self, key: str) -> Path:
        return self.root / "models" / key

    def cell(self, key: str) -> Path:
        return self.root / "cells" / key

    def reference(self, fingerprint: str, instrument: str, track: str) -> Path:
        names = (fingerprint, file_name(instrument), f"{file_name(track)}.flac")
        return self.root.joinpath("references", *names)

    @property
    def comparisons(self) -> Path:
        return self.root / "comparisons.json"

    @property
    def outdated(self) -> Path:
        """There while cells may have changed that the folder's scores do not know of."""
        return self.root / ".outdated"

    @property
    def run_file(self) -> Path:
        return self.root / "run.json"

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Makes the folder and holds it for one writer. A second writer, a folder that cannot be
        written and a disk that is or gets full are errors in words; another file's errors pass."""
        try:
            with self._held():
                yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            told = f"cannot write to {error.filename or self.root}: {error.strerror}."
            raise BenchError(told, hint=MAKE_ROOM) from error

    def _held(self) -> IO[str]:
        """The lock of the folder, which is made; closed it is free."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / ".lock").open("w")
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            told = f"cannot write to {self.root}: {error.strerror}."
            raise BenchError(told, hint="Name another: --out DIR") from error
        self._hold(lock)
        return lock

    def remove_parts(self) -> None:
        """What a killed run left half written beside its models and cells. For who holds the
        folder."""
        for path in self.root.glob(".part-*"):
            path.unlink(missing_ok=True)
        for name in ("references", "jobs"):
            files.remove_parts(self.root / name)

    def _hold(self, lock: IO[str]) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchError(
                f"another bench run is writing to {self.root}.",
                hint="Wait for it, or use --out DIR.",
            ) from None

    def read_run(self) -> dict[str, Any]:
        """run.json; an error in words where this is no run folder."""
        if not self.run_file.is_file():
            raise BenchError(
                f"{self.root} is no run folder (it has no run.json).",
                hint="Make one: bench run --out DIR",
            )
        run = read(self.run_file, forms.RUN)
        if run is None or run["schema"] != SCHEMA:
            raise BenchError(
                f"{self.run_file} is damaged, or of another version of timbrebench.",
                hint="Run again into a new folder: bench run --out DIR",
            )
        return run


@functools.lru_cache(4096)
def file_name(name: str) -> str:
    """A name as a file's: readable, and distinct for distinct names."""
    safe = re.sub(r"[^\w+.-]", "_", name).lstrip(".-") or "_"
    short = safe.encode()[:80].decode(errors="ignore")  # file systems count bytes
    return name if name == safe == short else f"{short}-{files.digest(name, 4)}"


def imported(store: Store) -> set[str]:
    """Keys of cells that came from another machine: what they cost is known, and no run of this
    folder made an estimate with them."""
    found = {path.parent for path in store.root.glob("cells/*/outcome.json")}
    return {folder.name for folder in found if not (folder / "estimates.json").exists()}


def stage_done(store: Store, key: str) -> bool:
    """Whether a stage's model is there and whole."""
    record = read(store.model(key) / "stage.json", forms.STAGE) or {}
    weights = store.model(key) / "model.safetensors"
    return "sha256" in record and weights.is_file() and files.sha256_of(weights) == record["sha256"]


def _tidy(folder: Path) -> None:
    """Removes what a kill left beside a model that was done."""
    files.remove_parts(folder)
    for path in folder.glob("checkpoint*"):
        path.unlink(missing_ok=True)


@dataclass
class VerifiedModels:
    """Which models were found whole, so that weights that have not been touched since are not
    read again: model → [size, time of the last change] of its weights, then of its record. Who
    loads them hashes them anyway."""

    known: dict[str, list[int]]

    @classmethod
    def of(cls, store: Store) -> "VerifiedModels":
        return cls(read(store.root / _VERIFIED, forms.VERIFIED) or {})

    def done(self, store: Store, key: str) -> bool:
        """:func:`whole`; what a kill left beside one that is found so is removed."""
        before = self.known.get(key)
        found = self.whole(store, key)
        if found and self.known[key] != before:
            _tidy(store.model(key))
        return found

    def whole(self, store: Store, key: str) -> bool:
        """:func:`stage_done`, from memory where it can be. Changes nothing in the folder."""
        folder = store.model(key)
        try:
            states = [(folder / name).stat() for name in ("model.safetensors", "stage.json")]
        except OSError:
            return False
        seen = [value for state in states for value in (state.st_size, state.st_mtime_ns)]
        if self.known.get(key) == seen:
            return True
        if not stage_done(store, key):
            return False
        self.known[key] = seen
        return True

    def keep(self, store: Store) -> None:
        """For the next run."""
        path = store.root / _VERIFIED
        if self.known and read_or_none(path) != self.known:
            files.write_json(path, self.known)
