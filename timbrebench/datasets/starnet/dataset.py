"""StarNet: pieces performed with two sets of instruments, for timbre transfer.

Origin       Music-STAR, https://zenodo.org/records/6917099
Size         104 pieces of 6 WAV files, 44.1 kHz stereo; 36 GB to download
               starnet_part1.tar.gz  13,982,371,774 bytes  md5 98c7bd811a0840246e1dad7f29c0ffba
               starnet_part2.tar.gz  22,483,006,727 bytes  md5 cc4ed86c96f291adb6869c5d293cb3ce
Instruments  clarinet, vibraphone and their mixture; strings, piano and their mixture
Split        the 10-piece test set where it lies beside the parts, else by hash (core.splits)
Licence      CC BY 4.0
Pairing      all files NNN.0.wav … NNN.5.wav are of one piece; they differ by a few samples.
             Clarinet and strings play one part, vibraphone and piano the other.

The parts number their pieces anew, and so does the test set: in ``starnet-p1``, ``starnet-p2``
and ``starnet-test`` below the root, piece 001 is ``p1/001``, ``p2/001`` and ``test/001``. Files in
the root itself keep their number. ``prepare`` makes 16 kHz mono FLACs of the same names while it
unpacks; WAVs at any rate do as well.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from timbrebench.core.archives import Limits
from timbrebench.core.errors import MissingData
from timbrebench.core.fetching import Remote
from timbrebench.core.interfaces import Dataset, Needs, Progress
from timbrebench.core.records import Corpus, Task, Track
from timbrebench.datasets.starnet.getting import Getting, command, words
from timbrebench.datasets.starnet.layout import STEMS, files_of, selection, told_tracks
from timbrebench.datasets.starnet.options import DOWNLOAD, LICENCE, PAGE, Options
from timbrebench.datasets.starnet.unpack import LIMITS

ARCHIVES = {  # by the folder that they unpack to
    "starnet-p1": Remote(
        "starnet_part1.tar.gz",
        f"{PAGE}/files/starnet_part1.tar.gz",
        13_982_371_774,
        "md5:98c7bd811a0840246e1dad7f29c0ffba",
    ),
    "starnet-p2": Remote(
        "starnet_part2.tar.gz",
        f"{PAGE}/files/starnet_part2.tar.gz",
        22_483_006_727,
        "md5:cc4ed86c96f291adb6869c5d293cb3ce",
    ),
}


class StarNet(Dataset):
    """The original, or a copy at another rate, as it lies on disk or is fetched."""

    options: Options

    def __init__(
        self,
        options: Options,
        root: Path | None,
        *,
        archives: Mapping[str, Remote] = ARCHIVES,
        limits: Limits = LIMITS,
    ) -> None:
        super().__init__(options, root)
        self.archives, self.limits = archives, limits
        self.asked = selection(options)

    def missing(self) -> str:
        if self.root is None:
            return f"the dataset 'starnet' was not told where it is. {self._way()}"
        if not self.root.is_dir():
            return f"the dataset 'starnet' has no folder '{self.root}'. {self._way()}"
        if unfinished := self._getting().unfinished():
            way, made = command(unfinished, self.root), len(self._getting().inventory.files)
            return f"{self.root}: {made} files are made, not all that was asked for. Run: {way}"
        if not _pieces(self.root, self.options.original):
            where = "in it or in its folder starnet-p1"
            return f"{self.root}: no 001.0.wav, … {where}. {self._way()}"
        return ""

    def _way(self) -> str:
        """How to get it."""
        return (
            f"Run: {command(self.options, self.root)} ({DOWNLOAD}); or get it from {PAGE} and say "
            "--data-root DIR, or set TIMBREBENCH_DATA."
        )

    def _getting(self) -> Getting:
        if self.root is None:
            raise MissingData(self.missing())
        return Getting(self.options, self.root, self.archives, self.limits)

    def needs(self) -> Needs:
        return self._getting().needs()

    def prepare(self, progress: Progress) -> None:
        self._getting().run(progress)

    def again(self) -> tuple[str, ...]:
        return words(self._getting().unfinished() or self.options)

    def verify(self, progress: Progress) -> Mapping[str, str]:
        getting = self._getting()
        if not getting.inventory.files:  # the user's own: no checksums are known
            return super().verify(progress)
        return getting.verify(progress)

    def checked(self) -> str:
        getting = self._getting()
        if not getting.inventory.files:
            return super().checked()
        told = "each file has the size and SHA-256 that prepare wrote down"
        own = sum(1 for _ in getting.own_files())
        return f"{told}, and the {own} that it did not make open as audio" if own else told

    def corpus(self) -> Corpus:
        from timbrebench.core.fingerprint import seal
        from timbrebench.core.splits import with_splits
        from timbrebench.core.usable import probe_all

        if self.root is None or self.missing():
            raise MissingData(self.missing())
        pieces = {
            id: {name: path for stem, name, path in stems if stem in self.asked.stems}
            for id, stems in _pieces(self.root, self.options.original).items()
            if self.asked.track(id)
        }
        files = [path for stems in pieces.values() for path in stems.values()]
        usable, left_out = probe_all(files, self.root)
        if not files:
            raise MissingData(
                f"{self.root}: no track has what is asked for (stems {self.options.stems}, tracks "
                f"{self.options.tracks}).",
                hint=f"It has {told_tracks(_pieces(self.root, self.options.original))}.",
            )
        if not usable:
            raise MissingData(f"{self.root}: none of its {len(files)} files can be used.")
        refused = self._getting().inventory.refused
        tracks = _tracks(pieces, {path: seconds for path, (seconds, _) in usable.items()})
        tracks, fingerprint, copies = seal(with_splits(tracks, _split(tracks)))
        return Corpus(
            name="starnet",
            tracks=tracks,
            groups=_groups(),
            fingerprint=fingerprint,
            rate=min(rate for _, rate in usable.values()),
            notes={"licence": LICENCE, "source": PAGE, "left_out": refused | left_out | copies},
        )


def _pieces(root: Path, original: bool) -> dict[str, list[tuple[int, str, Path]]]:
    """Track → (number, instrument, file) of its stems, as names say."""
    pieces: dict[str, list[tuple[int, str, Path]]] = defaultdict(list)
    for track, stem, path in files_of(root, original):
        pieces[track].append((stem, STEMS[stem][0], path))
    return pieces


def _tracks(
    pieces: Mapping[str, Mapping[str, Path]], seconds: Mapping[Path, float]
) -> tuple[Track, ...]:
    """The pieces with the stems whose length is known, which are the usable ones."""
    tracks = []
    for id, files in pieces.items():
        stems = {name: path for name, path in files.items() if path in seconds}
        if stems:
            parts = {name: part for name, part in STEMS if name in stems}
            shortest = min(seconds[path] for path in stems.values())
            tracks.append(Track(id, stems, seconds=shortest, parts=parts))
    return tuple(tracks)


def _split(tracks: Sequence[Track]) -> dict[str, str]:
    """The test set tests, where there is anything else to train on; otherwise by hash."""
    from timbrebench.core.splits import assign

    ids = [t.id for t in tracks]
    tests = [id for id in ids if id.startswith("test/")]
    if not tests or len(tests) == len(ids):
        return assign(ids)
    return assign(set(ids) - set(tests), test=0) | dict.fromkeys(tests, "test")


def _groups() -> dict[str, tuple[Task, ...]]:
    """The three settings of DiffTransfer: single instruments, mixtures, and mixtures made of
    single conversions. Then generation, and pairs that play the two parts of one piece."""
    winds = Task("transfer", "clarinet", "strings")
    bars = Task("transfer", "vibraphone", "piano")
    both = Task("transfer", "clarinet+vibraphone", "strings+piano")
    winds_back, bars_back, both_back = (replace(t, a=t.b, b=t.a) for t in (winds, bars, both))
    return {
        "single": (winds, winds_back, bars, bars_back),
        "mixture": (both, both_back),
        "single-mixed": (
            replace(both, parts=(winds, bars)),
            replace(both_back, parts=(winds_back, bars_back)),
        ),
        "generate": tuple(Task("generate", name) for name, part in STEMS if part != "mixture"),
        "pair": (Task("pair", "clarinet", "vibraphone"), Task("pair", "strings", "piano")),
    }
