"""How loud recordings are, how much of them is silence, and which hold the same sound.

Each is decoded once: what it came to is kept in the cache by the content of its file.
"""

import contextlib
import hashlib
import itertools
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from timbrebench.core import audio
from timbrebench.core.errors import BadAudio
from timbrebench.core.files import cache_root, read_json, write_json
from timbrebench.core.fingerprint import content_hashes
from timbrebench.core.interfaces import Progress
from timbrebench.core.usable import remember_damaged

FRAME = 0.1  # seconds that are silent or not
SILENT_DB = -60.0  # RMS relative to full scale under which they are
LEAST_DB = -120.0
_VERSION = 1  # of what is kept; raise it where the above changes


@dataclass(frozen=True)
class Sound:
    """What a recording holds, mixed to mono."""

    seconds: float
    power: float  # mean square
    peak: float
    silent: float  # share of its frames
    content: str  # hash of its samples as decoded: other files may hold the same

    @property
    def sounds(self) -> bool:
        """Whether it holds anything: silence is equal to all other silence."""
        return self.peak > 0


def db_of(power: float) -> float:
    """A mean square in dB relative to full scale, at least -120."""
    return max(LEAST_DB, 10 * float(np.log10(max(power, 1e-12))))


def sounds_of(
    paths: Iterable[Path], threads: int = 1, progress: Progress | None = None
) -> tuple[dict[Path, Sound], dict[Path, str]]:
    """(file → what it holds, file → why it cannot be read). The latter are no part of a corpus from
    then on."""
    there = {path: path.is_file() for path in paths}
    bad = {path: "no such file" for path, is_file in there.items() if not is_file}
    hashes = content_hashes(path for path, is_file in there.items() if is_file)
    known = _read_cache()
    lacking = {content: path for path, content in hashes.items() if content not in known}
    reasons: dict[str, str] = {}
    new: dict[str, Sound] = {}
    with ThreadPoolExecutor(threads) as pool:  # decoding releases the interpreter's lock
        answers = pool.map(_measured, lacking.values())
        for done, (content, answer) in enumerate(zip(lacking, answers, strict=True), 1):
            if isinstance(answer, Sound):
                new[content] = answer
            else:
                reasons[content] = answer
            if progress:
                progress("listening to the data", done / len(lacking))
    _remember(new)
    remember_damaged(reasons)
    known |= new
    bad |= {path: reasons[content] for path, content in hashes.items() if content in reasons}
    return {path: known[content] for path, content in hashes.items() if content in known}, bad


def measure(path: Path) -> Sound:
    """By decoding it, block by block. BadAudio where it cannot be read."""
    rate, blocks = audio.blocks(path)
    first = next(blocks)
    digest = hashlib.blake2b(f"{rate}".encode(), digest_size=16)
    frame, samples, squares, peak, loud, frames = round(FRAME * rate), 0, 0.0, 0.0, 0, 0
    rest = np.zeros(0, np.float32)
    for block in itertools.chain([first], blocks):
        digest.update(block.tobytes())
        samples += len(block)
        squares += float(np.square(block, dtype=np.float64).sum())
        peak = max(peak, float(np.abs(block).max()))
        rest = np.concatenate([rest, block])
        whole = rest[: len(rest) // frame * frame].reshape(-1, frame)
        levels = np.square(whole, dtype=np.float64).mean(axis=1)
        loud += int((levels >= 10 ** (SILENT_DB / 10)).sum())
        frames += len(whole)
        rest = rest[whole.size :]
    silent = 1 - loud / frames if frames else float(db_of(squares / samples) < SILENT_DB)
    return Sound(samples / rate, squares / samples, peak, silent, digest.hexdigest())


def _measured(path: Path) -> Sound | str:
    try:
        return measure(path)
    except BadAudio as error:
        return error.reason


# ---------------------------------------------------------------------------- the cache
# sounds.json: {"version": …, "sounds": {content of the file: fields of Sound}}


def _cache_file() -> Path:
    return cache_root() / "sounds.json"


def _read_cache() -> dict[str, Sound]:
    try:
        kept = read_json(_cache_file())
        found = kept["sounds"] if kept["version"] == _VERSION else {}
        return {content: Sound(*values) for content, values in found.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # none yet, or broken
        return {}


def _remember(new: Mapping[str, Sound]) -> None:
    if not new:
        return
    kept: dict[str, Any] = {c: astuple(sound) for c, sound in (_read_cache() | dict(new)).items()}
    with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
        write_json(_cache_file(), {"version": _VERSION, "sounds": kept})
