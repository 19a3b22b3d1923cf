"""Fingerprints of audio on disk: of names and contents, wherever the files lie."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from timbrebench.core.files import cache_root, digest, read_json, sha256_of, write_json
from timbrebench.core.records import Track

_THREADS = 4  # reading and hashing release the interpreter's lock


def content_hashes(paths: Iterable[Path]) -> dict[Path, str]:
    """Path → hash of its content. Known ones come from a cache, where the file is the same one and
    was not touched since."""
    paths = list(paths)
    marks = {path: _mark(path) for path in paths}
    known = _read_cache()
    hashes = {p: known[str(p.absolute())][-1] for p in paths if _vouched(known, p, marks[p])}
    new = [path for path in paths if path not in hashes]
    with ThreadPoolExecutor(_THREADS) as pool:
        hashes |= zip(new, pool.map(sha256_of, new), strict=True)
    if new:
        _remember({str(p.absolute()): [*marks[p], hashes[p]] for p in new})
    return hashes


def seal(tracks: Sequence[Track]) -> tuple[tuple[Track, ...], str, dict[str, str]]:
    """(tracks, fingerprint, what was left out and why), from the contents of their files.

    A track with the very files of a test track would leak: it is left out. The fingerprint is of
    what the tracks are called, hold and are for, not of where they lie.
    """
    hashes = content_hashes(path for t in tracks for path in t.stems.values())
    left_out = _copies_of_tests(tracks, hashes)
    kept = tuple(t for t in tracks if t.id not in left_out)
    content = {t.id: {name: hashes[path] for name, path in t.stems.items()} for t in kept}
    return kept, digest([content, {t.id: t.split for t in kept}]), left_out


def _copies_of_tests(tracks: Sequence[Track], hashes: Mapping[Path, str]) -> dict[str, str]:
    tests = [t for t in tracks if t.split == "test"]
    copies = {}
    for track in (t for t in tracks if t.split != "test"):
        twins = [t.id for t in tests if _same(track, t, hashes)]
        if twins:
            copies[track.id] = f"it has the same files as the test track {twins[0]}"
    return copies


def _same(a: Track, b: Track, hashes: Mapping[Path, str]) -> bool:
    """Whether all stems that both have are the same."""
    shared = a.stems.keys() & b.stems.keys()
    return bool(shared) and all(hashes[a.stems[i]] == hashes[b.stems[i]] for i in shared)


# ---------------------------------------------------------------------------- the cache
# sha256.json: absolute path → [size, mtime and ctime in ns, inode, hash]. Files that change places
# may have one size and mtime, not one inode; none is written to without another ctime.


def _cache_file() -> Path:
    return cache_root() / "sha256.json"


def _mark(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _vouched(known: Mapping[str, Any], path: Path, mark: list[int]) -> bool:
    entry = known.get(str(path.absolute()))
    return isinstance(entry, list) and entry[:-1] == mark


def _read_cache() -> dict[str, Any]:
    try:
        cache = read_json(_cache_file())
    except (OSError, ValueError):  # none yet, or broken: everything is hashed again
        return {}
    return cache if isinstance(cache, dict) else {}


def _remember(entries: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
        write_json(_cache_file(), _read_cache() | dict(entries))
