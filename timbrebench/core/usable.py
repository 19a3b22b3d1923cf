"""Which files of a corpus can be used: by their headers and ends when it is opened, and by all that
they hold, where something has listened to them since.

CACHE/damaged.json holds {"by": what judged, "files": {content: why it cannot be read to its end}}.
"""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from timbrebench.core import audio
from timbrebench.core.errors import BadAudio
from timbrebench.core.files import cache_root, digest_of_files, read_json, write_json
from timbrebench.core.fingerprint import content_hashes


def probe_all(
    paths: Iterable[Path], root: Path
) -> tuple[dict[Path, tuple[float, int]], dict[str, str]]:
    """(file → (seconds, rate in Hz), name below ``root`` of each unusable file → why)."""
    usable, left_out = {}, {}
    for path in paths:
        try:
            usable[path] = audio.probe(path)[:2]
        except BadAudio as error:
            left_out[path] = error.reason
    known = _damaged()
    if known:
        hashes = content_hashes(usable)
        left_out |= {path: known[hashes[path]] for path in usable if hashes[path] in known}
    usable = {path: found for path, found in usable.items() if path not in left_out}
    return usable, {str(path.relative_to(root)): why for path, why in left_out.items()}


def remember_damaged(new: Mapping[str, str]) -> None:
    """Content of a file → why it cannot be read to its end: no corpus has it from then on."""
    if new:
        with contextlib.suppress(OSError):  # then it fails whoever trains on it
            kept = {"by": _judge(), "files": _damaged() | dict(new)}
            write_json(cache_root() / "damaged.json", kept)


def _damaged() -> dict[str, str]:
    try:
        kept = read_json(cache_root() / "damaged.json")
        return dict(kept["files"]) if kept["by"] == _judge() else {}
    except (OSError, ValueError, TypeError, LookupError):  # none yet, or broken
        return {}


def _judge() -> str:
    return digest_of_files([Path(audio.__file__)])
