"""mirdata's view of a corpus on disk: where it lies, its index, its tracks.

    ROOT/indexes/NAME_index_VERSION.json    ROOT/NAME/…    or the files in ROOT itself

NAME is mirdata's name of the corpus, below which its index names the files.
"""

import contextlib
import importlib.util
import logging
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.records import Corpus
from timbrebench.datasets.indexed.gaps import Gaps, with_reasons
from timbrebench.datasets.indexed.index import Files, read_index

_VERSIONS = ("default", "sample")  # whose index files are looked for, in this order


@dataclass(frozen=True)
class Source:
    """A corpus that mirdata knows."""

    name: str  # ours
    mirdata: str
    marker: str  # pattern of something that lies in its folder
    remotes: tuple[str, ...]  # of mirdata's downloads, those that hold what is read
    page: str
    kinds: tuple[str, ...] = ()  # of file that every track has

    def hint(self, root: Path | None) -> str:
        """How to get it."""
        where = shlex.quote(str(root or "DIR"))
        return (
            f"Run: bench data prepare {self.name} --data-root {where}; or get it from {self.page} "
            "and say --data-root DIR."
        )


@dataclass(frozen=True)
class Library:
    """The tracks of an index, and the folder that its paths are below."""

    home: Path
    index: Path
    files: Files
    data: Any  # mirdata's Dataset
    gaps: Gaps = field(default_factory=Gaps)

    def listed(self, kinds: Iterable[str]) -> list[str]:
        """The paths that the index has of some kinds of file."""
        return [*self.checksums(kinds)]

    def checksums(self, kinds: Iterable[str]) -> dict[str, str]:
        """Path → md5 of those kinds of file; '' where the index has none."""
        kinds = set(kinds)
        return {
            entry[0]: entry[1] or ""
            for files in self.files.values()
            for kind, entry in files.items()
            if kind in kinds and entry[0]
        }

    def told(self, corpus: Corpus, kinds: Iterable[str]) -> Corpus:
        """The corpus that tells what of those kinds the archives did not give."""
        return with_reasons(corpus, self.gaps.reasons(self.listed(kinds), self.home))

    def checked(self, kinds: Iterable[str]) -> str:
        """What holding files of those kinds against the index says of them."""
        sums = self.checksums(kinds).values()
        unknown = sum(not md5 for md5 in sums)
        rest = f"; of {unknown} it names none" if unknown else ""
        return f"each of {len(sums)} files has the MD5 that the index names{rest}"

    def track(self, id: str) -> Any:
        """mirdata's Track."""
        try:
            return self.data.track(id)
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            raise BenchError(
                f"{self.index}: mirdata reads no track from '{id}' "
                f"({type(error).__name__}: {error})."
            ) from None


def home_of(source: Source, root: Path | None) -> Path | None:
    """The folder that holds the corpus; None where there is none."""
    folders = () if root is None else (root / source.mirdata, root)
    return next((f for f in folders if f.is_dir() and any(f.glob(source.marker))), None)


def why_missing(source: Source, root: Path | None) -> str:
    """What is not there, as far as that can be told without mirdata."""
    if root is None:
        return f"the dataset '{source.name}' was not told where it is. {source.hint(root)}"
    if importlib.util.find_spec("mirdata") is None:
        return f"the dataset '{source.name}' needs mirdata. Run: pip install 'timbrebench[mirdata]'"
    if home_of(source, root) is None:
        looked = f"'{root / source.mirdata}' and '{root}'"
        return f"the dataset '{source.name}' is in neither of {looked}. {source.hint(root)}"
    return ""


def open_library(source: Source, root: Path | None, index: str | None) -> Library:
    """The corpus below ``root``; MissingData with what to do where something is not there."""
    home = home_of(source, root)
    if root is None or home is None or why_missing(source, root):
        raise MissingData(why_missing(source, root))
    data = dataset_of(source, home)
    return library_in(source, home, root, index_path(source, root, index, data), data)


def library_in(source: Source, home: Path, root: Path, index: str | Path, data: Any) -> Library:
    """The corpus in ``home`` by that index file, which is checked. ``data``: mirdata's Dataset."""
    data.index_path = str(index)
    files = read_index(Path(index), source.kinds, source.name)
    return Library(home, Path(index), files, data, Gaps.of(root, source.name))


def dataset_of(source: Source, home: Path, version: str = "default") -> Any:
    """mirdata's Dataset, whose index need not be there."""
    import mirdata

    with _unlogged():
        return mirdata.initialize(source.mirdata, data_home=str(home), version=version)


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """mirdata sets up the root logger where it finds none set up: everybody's lines would show."""
    silent = logging.NullHandler()
    logging.root.addHandler(silent)
    try:
        yield
    finally:
        logging.root.removeHandler(silent)


def index_path(source: Source, root: Path, given: str | None, data: Any) -> Path:
    """The index file: the one named, that of ROOT/indexes, or mirdata's own."""
    if given:
        if not Path(given).is_file():
            raise MissingData(f"there is no index file {given}, which {source.name}.index names.")
        return Path(given)
    own = [Path(data.index_path)]
    own += [Path(dataset_of(source, root, v).index_path) for v in _VERSIONS[1:]]
    known = [*(root / "indexes" / path.name for path in own), own[0]]
    for path in known:
        if path.is_file():
            return path
    raise MissingData(
        f"the index of '{source.name}' is not there ({known[0]}).",
        hint=f"Run: bench data prepare {source.name} --data-root {root}; "
        f"or say -o {source.name}.index=FILE",
    )
