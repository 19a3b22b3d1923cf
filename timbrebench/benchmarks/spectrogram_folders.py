"""A corpus as folders of greyscale spectrograms and a list of pairs. Heavy."""

import csv
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from timbrebench.benchmarks.store import file_name
from timbrebench.core.errors import BadAudio, BenchError, one_line
from timbrebench.core.interfaces import Progress
from timbrebench.core.records import Corpus, Track
from timbrebench.core.spectrograms import PAIR_FIELDS, SPEC, chunks_of, pairs_of, write_png
from timbrebench.core.split_list import write_splits

PAIR_LIST = "pairs.csv"
_LONGEST_NAME = 240  # bytes: with '_chunk599.png' it is still a file's


@dataclass
class Written:
    """What is in a folder of pictures, and what is not."""

    counts: dict[str, int] = field(
        default_factory=lambda: defaultdict(int)
    )  # instrument → pictures
    splits: dict[str, str] = field(default_factory=dict)  # name of a track's pictures → split
    left_out: dict[str, str] = field(default_factory=dict)  # recording → why


def check_free(out: Path) -> None:
    """BenchError where something is in the way."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BenchError(f"{out} is there already.", hint="Name an empty folder: --out DIR")


def write_folders(
    corpus: Corpus, instruments: Sequence[str], splits: Sequence[str], out: Path, progress: Progress
) -> Written:
    """Pictures in OUT/INSTRUMENT/; OUT/pairs.csv, whose indices count the names of a folder in
    their order; OUT/splits.csv. The folder appears whole or not at all; a recording that cannot be
    read is left out of it."""
    check_free(out)
    tracks = [track for track in corpus.tracks if track.split in splits]
    stems = [(track, i) for i in instruments for track in tracks if i in track.stems]
    if len({instrument for _, instrument in stems}) < 2:
        pairs_of(dict.fromkeys((i for _, i in stems), 1))  # says what is wrong
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".part-") as temporary:
        made = Path(temporary) / "made"
        written = _write_pictures(corpus, stems, made, progress)
        _check_pairs(written)
        with (made / PAIR_LIST).open("w", newline="") as file:
            rows = [PAIR_FIELDS, *pairs_of(written.counts)]
            csv.writer(file, lineterminator="\n").writerows(rows)
        write_splits(made, written.splits)
        if out.exists():
            out.rmdir()
        shutil.move(made, out)
    return written


def _write_pictures(
    corpus: Corpus, stems: Sequence[tuple[Track, str]], made: Path, progress: Progress
) -> Written:
    written, names = Written(), names_of(corpus.tracks)
    for done, (track, instrument) in enumerate(stems, 1):
        try:
            samples = corpus.load(track.id, instrument, SPEC.rate).samples
        except (BenchError, OSError) as error:
            reason = error.reason if isinstance(error, BadAudio) else one_line(error)
            written.left_out[f"{track.id} ({instrument})"] = reason
        else:
            folder = made / (instrument if _is_safe(instrument) else file_name(instrument))
            folder.mkdir(parents=True, exist_ok=True)
            for number, chunk in enumerate(chunks_of(samples)):
                write_png(folder / f"{names[track.id]}_chunk{number}.png", chunk)
                written.counts[folder.name] += 1
            written.splits[names[track.id]] = track.split
        progress("spectrograms", done / len(stems))
    return written


def _check_pairs(written: Written) -> None:
    """BenchError, with a reason, where there are no two instruments left."""
    if len(written.counts) < 2:
        first = [f" ({name}: {why})" for name, why in written.left_out.items()][:1]
        raise BenchError(
            f"pairs are of different instruments, of which {len(written.counts)} could be read"
            f"{''.join(first)}.",
            hint="Mend the recordings, or add another instrument.",
        )


def names_of(tracks: Iterable[Track]) -> dict[str, str]:
    """Track → what its pictures are called. 'folder' calls a track that one instrument alone has
    INSTRUMENT/NAME, and its files NAME: with that name it reads them back as the same track."""
    own = {track.id: _own_name(track) for track in tracks}
    called = Counter(own.values())
    single = {id: name if called[name] == 1 else id for id, name in own.items()}
    return {id: name if _is_safe(name) else file_name(name) for id, name in single.items()}


def _own_name(track: Track) -> str:
    alone = next(iter(track.stems)) if len(track.stems) == 1 else ""
    return track.id.removeprefix(f"{alone}/") if alone else track.id


def _is_safe(name: str) -> bool:
    """Whether a name can be a file's as it stands, one that 'folder' would take."""
    harmless = name.isprintable() and "/" not in name and not name.startswith(".")
    return bool(name) and harmless and len(name.encode()) <= _LONGEST_NAME
