"""StarNet: pieces performed with two sets of instruments, for timbre transfer.

Origin       Music-STAR, https://zenodo.org/records/6917099
Size         104 pieces of 6 WAV files, 44.1 kHz stereo; 36 GB to download
               starnet_part1.tar.gz  13,982,371,774 bytes  md5 98c7bd811a0840246e1dad7f29c0ffba
               starnet_part2.tar.gz  22,483,006,727 bytes  md5 cc4ed86c96f291adb6869c5d293cb3ce
Instruments  clarinet, vibraphone and their mixture; strings, piano and their mixture
Split        the 10-piece test set where it lies beside the parts, else quotas (core.splits)
Licence      CC BY 4.0
Pairing      all files NNN.0.wav … NNN.5.wav are of one piece; they differ by a few samples.
             Clarinet and strings play one part, vibraphone and piano the other.

The parts number their pieces anew, and so does the test set: in ``starnet-p1``, ``starnet-p2``
and ``starnet-test`` below the root, piece 001 is ``p1/001``, ``p2/001`` and ``test/001``. Files in
the root itself keep their number. A 16 kHz mono copy with the same names does as well.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from timbrebench.core.errors import MissingData
from timbrebench.core.interfaces import Dataset
from timbrebench.core.records import Corpus, Task, Track

LICENCE = "CC BY 4.0"
SIZE = "36 GB to download"
PAGE = "https://zenodo.org/records/6917099"

STEMS = (  # by the number in a file's name: instrument, and the part that it plays
    ("clarinet+vibraphone", "mixture"),
    ("clarinet", "melody"),
    ("vibraphone", "accompaniment"),
    ("strings+piano", "mixture"),
    ("strings", "melody"),
    ("piano", "accompaniment"),
)
_FOLDERS = {"": "", "p1/": "starnet-p1", "p2/": "starnet-p2", "test/": "starnet-test"}
_NAME = re.compile(r"(\d+)\.([0-5])\.wav", re.IGNORECASE)


class StarNet(Dataset):
    """The original, or a copy at another rate, as it lies on disk."""

    def missing(self) -> str:
        hint = f"Get it from {PAGE} and say --data-root DIR, or set TIMBREBENCH_DATA."
        if self.root is None:
            return f"the dataset 'starnet' was not told where it is. {hint}"
        if not self.root.is_dir():
            return f"the dataset 'starnet' has no folder '{self.root}'. {hint}"
        if not _pieces(self.root):
            return f"{self.root}: no 001.0.wav, … in it or in its folder starnet-p1. {hint}"
        return ""

    def corpus(self) -> Corpus:
        from timbrebench.core.audio import probe_all
        from timbrebench.core.fingerprint import seal
        from timbrebench.core.splits import with_splits

        if self.root is None or self.missing():
            raise MissingData(self.missing())
        pieces = _pieces(self.root)
        files = [path for stems in pieces.values() for path in stems.values()]
        usable, left_out = probe_all(files, self.root)
        if not usable:
            raise MissingData(f"{self.root}: none of its {len(files)} files can be used.")
        tracks = _tracks(pieces, {path: seconds for path, (seconds, _) in usable.items()})
        tracks, fingerprint, copies = seal(with_splits(tracks, _split(tracks)))
        return Corpus(
            name="starnet",
            tracks=tracks,
            groups=_groups(),
            fingerprint=fingerprint,
            rate=min(rate for _, rate in usable.values()),
            notes={"licence": LICENCE, "source": PAGE, "left_out": left_out | copies},
        )


def _pieces(root: Path) -> dict[str, dict[str, Path]]:
    """Track id → instrument → file, as names say."""
    pieces: dict[str, dict[str, Path]] = defaultdict(dict)
    for space, folder in _FOLDERS.items():
        for path in sorted((root / folder).glob("*.*")):
            name = _NAME.fullmatch(path.name)
            if name:
                instrument, _ = STEMS[int(name[2])]
                pieces[space + name[1]][instrument] = path
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
    """The test set tests, where there is anything else to train on; quotas otherwise."""
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
