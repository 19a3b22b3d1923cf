"""A corpus as folders of greyscale spectrograms and a list of pairs. Heavy."""

import csv
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from timbrebench.benchmarks.store import file_name
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import Progress
from timbrebench.core.records import Corpus
from timbrebench.core.spectrograms import PAIR_FIELDS, SPEC, chunks_of, pairs_of, write_png

PAIR_LIST = "pairs.csv"


def write_folders(
    corpus: Corpus, instruments: Sequence[str], splits: Sequence[str], out: Path, progress: Progress
) -> dict[str, int]:
    """Instrument → pictures, written to OUT/INSTRUMENT/; and OUT/pairs.csv, whose indices count
    the names of a folder in their order. The folder appears whole or not at all."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BenchError(f"{out} is there already.", hint="Name an empty folder: --out DIR")
    tracks = [track for track in corpus.tracks if track.split in splits]
    stems = [(track, i) for i in instruments for track in tracks if i in track.stems]
    if len({instrument for _, instrument in stems}) < 2:
        pairs_of(dict.fromkeys((i for _, i in stems), 1))  # says what is wrong
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".part-") as temporary:
        made = Path(temporary) / "made"
        counts: dict[str, int] = defaultdict(int)
        for done, (track, instrument) in enumerate(stems, 1):
            folder = made / file_name(instrument)
            folder.mkdir(parents=True, exist_ok=True)
            clip = corpus.load(track.id, instrument, SPEC.rate)
            for number, chunk in enumerate(chunks_of(clip.samples)):
                write_png(folder / f"{file_name(track.id)}_chunk{number}.png", chunk)
                counts[folder.name] += 1
            progress("spectrograms", done / len(stems))
        with (made / PAIR_LIST).open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([PAIR_FIELDS, *pairs_of(counts)])
        if out.exists():
            out.rmdir()
        shutil.move(made, out)
    return dict(counts)
