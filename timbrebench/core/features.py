"""Log-mels of a corpus's stems, for training and for fitting ranges: made once, kept in the cache.

Below CACHE/features there is a folder for each way of making log-mels: a MelSpec, the code that
makes them and the libraries that it stands on. In it they are found by the content of the audio,
whatever file, track or corpus it is in (core.feature_file).
"""

# Shapes: M mels, T frames, S frames of a crop.

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from timbrebench.core.errors import BadAudio
from timbrebench.core.files import cache_root, digest, digest_of_files
from timbrebench.core.fingerprint import content_hashes
from timbrebench.core.interfaces import Progress
from timbrebench.core.records import Corpus, Track

if TYPE_CHECKING:
    import numpy as np

    from timbrebench.core.feature_file import FeatureFile
    from timbrebench.core.mel import MelSpec


_MAKERS = ("altering", "audio", "mel")  # modules of core whose code decides a log-mel
_LIBRARIES = ("librosa", "numpy", "soundfile", "soxr", "torch")


def log_mels(
    corpus: Corpus,
    tracks: Sequence[Track],
    instrument: str,
    spec: "MelSpec",
    progress: Progress | None = None,
) -> "dict[str, np.ndarray]":
    """Track → the log-mel of its stem [M, T] float32, read-only. BadAudio names a file that has
    none."""
    found = aligned_log_mels(corpus, tracks, (instrument,), spec, progress)
    return {id: mels[0] for id, mels in found.items()}


def aligned_log_mels(
    corpus: Corpus,
    tracks: Sequence[Track],
    instruments: Sequence[str],
    spec: "MelSpec",
    progress: Progress | None = None,
) -> "dict[str, tuple[np.ndarray, ...]]":
    """Track → log-mels [M, T] float32 of its stems by ``instruments``, all of one length.

    The recordings of a piece may differ by a few samples: they are cut to the shortest. The arrays
    are read-only views of a file in the cache: of a corpus larger than memory only what is used is
    read. A crop is best taken by :func:`crop`.
    """
    from timbrebench.core.feature_making import made

    told = f"log-mels of {' and '.join(instruments)}"
    wanted = _stems(corpus, tracks, instruments, spec)
    return {s.track.id: mels for s, mels in made(wanted, feature_file(spec), told, progress)}


def crop(log_mel: "np.ndarray", start: int, frames: int) -> "np.ndarray":
    """``frames`` frames of a log-mel [M, T] from ``start`` on: an array of its own [M, S], its
    bands one after the other, however the log-mel itself lies."""
    import numpy as np

    return np.ascontiguousarray(log_mel[:, start : start + frames])


def features_root() -> Path:
    return cache_root() / "features"


def feature_file(spec: "MelSpec") -> "FeatureFile":
    """Where the log-mels of a kind are kept."""
    from timbrebench.core.feature_file import FeatureFile

    values = {k: v for k, v in asdict(spec).items() if k not in ("name", "frames")}
    code = digest_of_files(Path(__file__).with_name(f"{name}.py") for name in _MAKERS)
    versions = [importlib.metadata.version(name) for name in _LIBRARIES]
    return FeatureFile(
        features_root() / f"{spec.name}-{digest([values, code, versions])}", spec.n_mels
    )


# ---------------------------------------------------------------------------- what is wanted


@dataclass(frozen=True)
class Stems:
    """Stems of a track whose log-mels are wanted, cut to the shortest."""

    corpus: Corpus
    track: Track
    instruments: tuple[str, ...]
    spec: "MelSpec"
    contents: tuple[str, ...]  # the hash of each, and what is done to it

    def keys(self, lengths: Mapping[str, int]) -> tuple[str, ...]:
        """Of their log-mels, given the samples of each content; none where these are unknown."""
        if len(self.contents) == 1:
            return self.contents
        if not lengths.keys() >= set(self.contents):
            return ()
        shortest = min(lengths[content] for content in self.contents)
        return tuple(c if lengths[c] == shortest else f"{c}@{shortest}" for c in self.contents)

    def make(self, known: Callable[[str], bool]) -> "tuple[dict[str, np.ndarray], dict[str, int]]":
        """(log-mels [M, T] by key, but for those that are known; samples of each content)."""
        from timbrebench.core.mel import log_mel

        clips = [self.corpus.load(self.track.id, i, self.spec.rate) for i in self.instruments]
        lengths = {c: len(clip.samples) for c, clip in zip(self.contents, clips, strict=True)}
        shortest = min(lengths.values())
        new = {k: c for k, c in zip(self.keys(lengths), clips, strict=True) if not known(k)}
        mels = {k: log_mel(c.samples[:shortest], self.spec).numpy() for k, c in new.items()}
        return mels, lengths


def _stems(
    corpus: Corpus, tracks: Sequence[Track], instruments: Sequence[str], spec: "MelSpec"
) -> list[Stems]:
    paths = {track.id: [track.stems[i] for i in instruments] for track in tracks}
    every = {path for found in paths.values() for path in found}
    for path in sorted(every):
        if not path.is_file():
            why = "it is a folder, no audio file" if path.is_dir() else "no such file"
            raise BadAudio(path, why)
    hashes = content_hashes(every)
    contents = {t.id: tuple(_content(t, hashes[path]) for path in paths[t.id]) for t in tracks}
    return [Stems(corpus, t, tuple(instruments), spec, contents[t.id]) for t in tracks]


def _content(track: Track, hashed: str) -> str:
    if not track.shift and not track.gain_db:
        return hashed
    return f"{hashed}~{track.shift:+d}{track.gain_db:+.2f}dB"
