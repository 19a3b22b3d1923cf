"""mirdata's view of a corpus on disk: where it lies, its index, its tracks.

    ROOT/indexes/NAME_index_VERSION.json    ROOT/NAME/…    or the files in ROOT itself

NAME is mirdata's name of the corpus, below which its index names the files.
"""

import contextlib
import importlib.util
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.records import Corpus
from timbrebench.datasets.indexed.gaps import Gaps, with_reasons

_VERSIONS = ("default", "sample")  # whose index files are looked for, in this order


@dataclass(frozen=True)
class Source:
    """A corpus that mirdata knows."""

    name: str  # ours
    mirdata: str
    marker: str  # pattern of something that lies in its folder
    remotes: tuple[str, ...]  # of mirdata's downloads, those that hold what is read
    page: str

    @property
    def hint(self) -> str:
        return (
            f"Run: bench data prepare {self.name} --data-root DIR; or get it from {self.page} and "
            "say --data-root DIR."
        )


@dataclass(frozen=True)
class Library:
    """The tracks of an index, and the folder that it speaks of."""

    home: Path
    index: Path
    data: Any  # mirdata's Dataset
    gaps: Gaps = field(default_factory=Gaps)

    def listed(self, kinds: Iterable[str]) -> list[str]:
        """The paths that the index has of some kinds of file."""
        kinds = set(kinds)
        return [
            entry[0]
            for files in self.files.values()
            for kind, entry in files.items()
            if kind in kinds and entry[0]
        ]

    def told(self, corpus: Corpus, kinds: Iterable[str]) -> Corpus:
        """The corpus that tells what of those kinds the archives did not give."""
        return with_reasons(corpus, self.gaps.reasons(self.listed(kinds), self.home))

    @property
    def files(self) -> Mapping[str, Mapping[str, tuple[str, str]]]:
        """Track → kind of file → (path below ``home``, md5), as the index says."""
        return self.data._index["tracks"]

    def track(self, id: str) -> Any:
        """mirdata's Track."""
        return self.data.track(id)


def home_of(source: Source, root: Path | None) -> Path | None:
    """The folder that holds the corpus; None where there is none."""
    folders = () if root is None else (root / source.mirdata, root)
    return next((f for f in folders if f.is_dir() and any(f.glob(source.marker))), None)


def why_missing(source: Source, root: Path | None) -> str:
    """What is not there, as far as that can be told without mirdata."""
    if root is None:
        return f"the dataset '{source.name}' was not told where it is. {source.hint}"
    if importlib.util.find_spec("mirdata") is None:
        return f"the dataset '{source.name}' needs mirdata. Run: pip install 'timbrebench[mirdata]'"
    if home_of(source, root) is None:
        looked = f"'{root / source.mirdata}' and '{root}'"
        return f"the dataset '{source.name}' is neither in {looked}. {source.hint}"
    return ""


def open_library(source: Source, root: Path | None, index: str | None) -> Library:
    """The corpus below ``root``; MissingData with what to do where something is not there."""
    home = home_of(source, root)
    if root is None or home is None or (missing := why_missing(source, root)):
        raise MissingData(missing if home else why_missing(source, root))
    data = dataset_of(source, home)
    data.index_path = str(_index_path(source, root, index, data))
    try:
        tracks = data._index["tracks"]
        if not all(isinstance(files, dict) for files in tracks.values()):
            raise ValueError("a track has no files")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BenchError(
            f"{data.index_path} cannot be read as an index of mirdata ({error}).",
            hint=f"Run: bench data prepare {source.name}",
        ) from None
    return Library(home, Path(data.index_path), data, Gaps.of(root, source.name))


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


def _index_path(source: Source, root: Path, given: str | None, data: Any) -> Path:
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
