"""What the archives of a corpus did not give, so that it is told, and not fetched for again.

ROOT/indexes/NAME.gaps.json    checksum of an archive → path below the corpus's folder → why
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from timbrebench.core.files import read_json, write_json
from timbrebench.core.records import Corpus

ABSENT = "its archive does not have it"


class Gaps:
    """By archive; ``path`` is where they are kept, None for nowhere."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.known = _read(path)

    @classmethod
    def of(cls, root: Path, name: str) -> "Gaps":
        """Of a dataset, by our name of it."""
        return cls(root / "indexes" / f"{name}.gaps.json")

    def of_archive(self, archive: Any) -> Mapping[str, str]:
        """What one (a record of mirdata) did not give."""
        return self.known.get(_key(archive), {})

    def note(self, archive: Any, reasons: Mapping[str, str]) -> None:
        """Those of an archive that was looked through just now."""
        kept = {**self.of_archive(archive), **reasons}
        if kept != self.of_archive(archive):
            self.known[_key(archive)] = kept
            if self.path:
                write_json(self.path, self.known)

    def reasons(self, names: Iterable[str], home: Path) -> dict[str, str]:
        """Why those of the names are not there that are not."""
        told: dict[str, str] = {}
        for reasons in self.known.values():
            told |= {n: why for n, why in reasons.items() if told.get(n, ABSENT) == ABSENT}
        return {n: told[n] for n in names if n in told and not (home / n).is_file()}


def with_reasons(corpus: Corpus, reasons: Mapping[str, str]) -> Corpus:
    """The corpus whose card tells them among what is left out."""
    left_out = {**reasons, **corpus.notes.get("left_out", {})}
    return replace(corpus, notes={**corpus.notes, "left_out": left_out})


def _key(archive: Any) -> str:
    return str(archive.checksum or archive.url)


def _read(path: Path | None) -> dict[str, dict[str, str]]:
    """{} where there is none that can be read: then archives are looked through once more."""
    try:
        found = read_json(path) if path else {}
        return {
            str(archive): {str(name): str(why) for name, why in reasons.items()}
            for archive, reasons in found.items()
        }
    except (OSError, ValueError, AttributeError):
        return {}
