"""Embedding vectors of audio files, kept between calls by the content of each file.

The address of vectors is made from what decides them: the file's bytes, the embedding with its
options, code and weights, and the loudness rule. Where a file lies and what it is called do not
enter: two files of one name never meet, and a changed file has another address.
"""

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from timbrebench.benchmarks import measure
from timbrebench.benchmarks.measure import Chosen
from timbrebench.core import embedded
from timbrebench.core.files import cache_root, digest, sha256_of
from timbrebench.core.interfaces import Embedding
from timbrebench.core.loudness import RULE
from timbrebench.core.manifest import code_of_modules

_THREADS = 4  # reading and hashing release the interpreter's lock


@dataclass(frozen=True)
class FileVectors:
    """What an embedding says of one file; or the reason that it says nothing."""

    vectors: np.ndarray | None = None  # [n, d] float32
    seconds: float = 0.0
    reason: str = ""
    missing: bool = False  # the embedding lacks something that a command gets


@dataclass(frozen=True)
class VectorStore:
    """The vectors that are known of one embedding. Light; ``chosen`` is any metric of it."""

    chosen: Chosen

    @cached_property
    def folder(self) -> Path:
        entry = self.chosen.embedding
        assert entry is not None
        shared = code_of_modules([embedded.__name__])
        values = sorted(self.chosen.embedding_values.items())
        info = entry.info
        parts = [entry.name, entry.code, info.factory, info.rate, info.weights_sha256]
        parts += [values, shared, RULE]
        return cache_root() / "embeddings" / f"{entry.name}-{digest(parts)}"

    def get(self, content: str) -> FileVectors | None:
        """What is known of a file with that hash. A damaged record is none."""
        try:
            with np.load(self._path(content), allow_pickle=False) as record:
                return FileVectors(record["vectors"], float(record["seconds"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def put(self, content: str, found: FileVectors) -> None:
        """A cache that cannot be written only costs time."""
        assert found.vectors is not None
        path = self._path(content)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
            try:
                with os.fdopen(handle, "wb") as file:
                    np.savez(file, vectors=found.vectors, seconds=found.seconds)
                Path(name).replace(path)
            finally:
                Path(name).unlink(missing_ok=True)

    def _path(self, content: str) -> Path:
        return self.folder / content[:2] / f"{content}.npz"


@dataclass(frozen=True)
class Embed:
    """A few files to be embedded together, in a worker."""

    store: VectorStore
    files: tuple[tuple[Path, str], ...]  # each with the hash of its content

    def alone(self) -> list["Embed"]:
        """Each of its files by itself."""
        return [Embed(self.store, (file,)) for file in self.files]

    def run(self) -> list[FileVectors]:
        """In the order of the files; what is found is kept at once."""
        embedding, reason = measure.ask_in_passing(measure.embedding_of, self.store.chosen)
        if embedding is None:
            return [FileVectors(reason=reason)] * len(self.files)
        lacking, reason = measure.ask_in_passing(embedding.missing)
        if lacking or lacking is None:
            return [FileVectors(reason=lacking or reason, missing=bool(lacking))] * len(self.files)
        found = [self._loaded(file, embedding.info.rate) for file, _ in self.files]
        good = [i for i, (samples, _) in enumerate(found) if samples is not None]
        vectors = self._embedded(embedding, [found[i][0] for i in good])
        answers = [FileVectors(reason=reason) for _, reason in found]
        for i, answer in zip(good, vectors, strict=True):
            answers[i] = answer
            if answer.vectors is not None:
                self.store.put(self.files[i][1], answer)
        return answers

    @staticmethod
    def _loaded(file: Path, rate: int) -> tuple[np.ndarray | None, str]:
        from timbrebench.core import audio

        return measure.ask_in_passing(audio.load, file, rate)

    @staticmethod
    def _embedded(embedding: Embedding, clips: Sequence[Any]) -> list[FileVectors]:
        """All together; one by one where one of them cannot be embedded."""
        seconds = [len(samples) / embedding.info.rate for samples in clips]
        together, _ = measure.ask_in_passing(embedded.vectors_of_all, embedding, clips)
        if together is not None and len(together) == len(clips):
            return [FileVectors(v, s) for v, s in zip(together, seconds, strict=True)]
        ask = measure.ask_in_passing
        alone = [ask(embedded.vectors_of, embedding, samples) for samples in clips]
        return [FileVectors(v, s, why) for (v, why), s in zip(alone, seconds, strict=True)]


def hashes_of(files: Iterable[Path]) -> Mapping[Path, str]:
    """File → hash of its content, read anew; '' of a file that cannot be read."""
    files = list(dict.fromkeys(files))
    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(files, pool.map(_hash_or_none, files), strict=True))


def _hash_or_none(file: Path) -> str:
    try:
        return sha256_of(file)
    except OSError:
        return ""
