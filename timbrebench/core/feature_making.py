"""Makes the log-mels that the cache lacks, in parallel and in little memory."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from timbrebench.core.feature_file import FeatureFile, Index
from timbrebench.core.feature_space import make_room
from timbrebench.core.features import Stems
from timbrebench.core.interfaces import Progress
from timbrebench.core.side_by_side import side_by_side

Mels = dict[str, np.ndarray]  # key → log-mel [M, T]
Made = tuple[Mels, dict[str, int]]  # and samples of each content

AT_ONCE = 1 << 24  # bytes of log-mels that are held before they are written
EVERY = 2.0  # seconds after which they are written anyway, so that other processes find them


def made(
    wanted: Sequence[Stems], file: FeatureFile, told: str, progress: Progress | None
) -> Iterator[tuple[Stems, tuple[np.ndarray, ...]]]:
    """All that is wanted with its log-mels, those of the file and those that it lacked."""
    maker = _Maker(wanted, file, told, progress)
    lacking = [stems for stems in wanted if not maker.has(stems)]
    if lacking:
        maker.make(lacking)
    elif progress and wanted:
        progress(told, 1.0)
    keys = {key for stems in wanted for key in stems.keys(maker.lengths)}
    if lacking:
        make_room(file, keys)
    found = maker.loose | file.arrays(keys)
    for stems in wanted:
        own = stems.keys(maker.lengths)
        if not found.keys() >= set(own):  # removed or damaged just now
            found |= stems.make(found.__contains__)[0]
        yield stems, tuple(found[key] for key in own)


class _Maker:
    """With as many threads as torch has. Other processes may be making the same: each begins at
    another place, and passes over what it finds done."""

    def __init__(
        self, wanted: Sequence[Stems], file: FeatureFile, told: str, progress: Progress | None
    ) -> None:
        self.wanted, self.file, self.told, self.progress = wanted, file, told, progress
        self.loose: Mels = {}  # what could not be written
        self.lengths: dict[str, int] = {}  # content → samples
        self._learn(file.read())

    def has(self, stems: Stems) -> bool:
        keys = stems.keys(self.lengths)
        return bool(keys) and all(map(self.knows, keys))

    def knows(self, key: str) -> bool:
        return key in self.known or key in self.loose

    def make(self, lacking: Sequence[Stems]) -> None:
        before = len(self.wanted) - len(lacking)
        waiting: Made = {}, {}
        written = time.monotonic()
        try:
            for done, (mels, lengths) in enumerate(self._computed(lacking), before + 1):
                waiting = waiting[0] | mels, waiting[1] | lengths
                size = sum(mel.nbytes for mel in waiting[0].values())
                if size >= AT_ONCE or time.monotonic() - written > EVERY:
                    self._write(*waiting)
                    waiting, written = ({}, {}), time.monotonic()
                if self.progress:
                    self.progress(self.told, done / len(self.wanted))
        finally:  # a bad file does not cost what was made before it
            self._write(*waiting)

    def _computed(self, lacking: Sequence[Stems]) -> Iterator[Made]:
        begin = os.getpid() * 7919 % len(lacking)
        yield from side_by_side(self._compute, [*lacking[begin:], *lacking[:begin]])

    def _compute(self, stems: Stems) -> Made:
        return ({}, {}) if self.has(stems) else stems.make(self.knows)

    def _write(self, mels: Mels, lengths: Mapping[str, int]) -> None:
        if not lengths:
            return
        try:
            self._learn(self.file.add(mels, lengths))
        except OSError:  # a cache that cannot be written costs time and memory, nothing else
            self.loose |= mels
            self.lengths |= lengths

    def _learn(self, index: Index) -> None:
        self.known = index.places.keys()
        self.lengths |= index.lengths
