"""mirdata's index files, checked before anything believes them: they may be a user's own."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from timbrebench.core.errors import BenchError
from timbrebench.core.files import read_json

# Track → kind of file → (path below the corpus's folder, md5): None where there is none.
Files = Mapping[str, Mapping[str, tuple[str | None, str | None]]]


class _Wrong(Exception):
    """What an index has that none may have."""


def read_index(path: Path, kinds: Iterable[str], name: str) -> Files:
    """The tracks of the index of the dataset ``name``, each of which has files of those kinds.
    BenchError with what is wrong."""
    try:
        index = read_json(path)
        if not isinstance(index, dict) or not isinstance(index.get("tracks"), dict):
            raise _Wrong("it has no 'tracks'")
        return {id: _checked(id, files, [*kinds]) for id, files in index["tracks"].items()}
    except (OSError, ValueError, RecursionError, _Wrong) as error:
        raise BenchError(
            f"{path} cannot be read as an index of mirdata ({error}).",
            hint=f"Run: bench data prepare {name}; or name another by -o {name}.index=FILE.",
        ) from None


def _checked(
    id: str, files: Any, kinds: Iterable[str]
) -> Mapping[str, tuple[str | None, str | None]]:
    """A track's files."""
    if not isinstance(files, dict):
        raise _Wrong(f"track '{id}' has no files")
    if absent := [kind for kind in kinds if kind not in files]:
        raise _Wrong(f"track '{id}' has no '{absent[0]}'")
    for kind, entry in files.items():
        if not isinstance(entry, list) or len(entry) != 2 or not all(map(_is_text, entry)):
            raise _Wrong(f"'{kind}' of track '{id}' is no pair of a path and an md5")
    return {kind: (entry[0], entry[1]) for kind, entry in files.items()}


def _is_text(value: Any) -> bool:
    """Whether it is null, or text that can be a path."""
    if not isinstance(value, str):
        return value is None
    return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
