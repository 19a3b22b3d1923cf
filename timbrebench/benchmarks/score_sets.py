"""Distances between folders of audio as sets of embedding vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from timbrebench.benchmarks import measure
from timbrebench.benchmarks.matching import Files, Sides
from timbrebench.benchmarks.measure import Chosen
from timbrebench.benchmarks.score_rows import Answer
from timbrebench.benchmarks.vectors import Embed, FileVectors, VectorStore, hashes_of
from timbrebench.core.embedded import Embedded

UNREADABLE = FileVectors(reason="the file cannot be read")
DIED = FileVectors(reason="its process died while it was embedded")


TOGETHER = 4  # files that are embedded at once: a batch of windows for a network


def _groups(files: Sequence[tuple[Path, str]]) -> list[Sequence[tuple[Path, str]]]:
    return [files[at : at + TOGETHER] for at in range(0, len(files), TOGETHER)]


@dataclass(frozen=True)
class EmbeddedSets:
    """Metrics of embeddings over the sides: what is to be embedded, then what comes of it."""

    given: Sides
    metrics: Sequence[Chosen]

    @cached_property
    def work(self) -> list[Embed]:
        """Every content that is not known yet, once for each embedding, a few files a piece."""
        return [
            Embed(store, tuple(group))
            for store, known in zip(self._stores.values(), self._known.values(), strict=True)
            for group in _groups([(f, c) for c, f in self._files.items() if c not in known])
        ]

    def answers(self, made: Sequence[Sequence[FileVectors] | None]) -> dict[str, Answer]:
        """By metric, given what came of :attr:`work` (None where a process died)."""
        for piece, found in zip(self.work, made, strict=True):
            answers = [DIED] * len(piece.files) if found is None else found
            for (_, content), answer in zip(piece.files, answers, strict=True):
                self._known[piece.store.folder][content] = answer
        return {c.entry.name: self._answer(c) for c in self.metrics}

    def _answer(self, chosen: Chosen) -> Answer:
        known = self._known[VectorStore(chosen).folder]
        if lacking := next((f.reason for f in known.values() if f.missing), ""):
            return Answer(reason=lacking, missing=True)
        real, made = self._set(self.given.references, known), self._set(self.given.estimates, known)
        failed = {f"reference {n}": why for n, why in real.skipped.items()} | made.skipped

        def measured() -> tuple[dict[str, float], dict[str, Any]]:
            metric = measure.create_comparing(chosen)
            values, details = metric.compare(real.checked("references"), made.checked("estimates"))
            bounds = {
                name: self._bound(metric, real, self._set(files, known))
                for name, files in (("floor", self.given.held_out), ("ceiling", self.given.sources))
                if files
            }
            return measure.finite(values), {**details, **bounds}

        found, reason = measure.ask_in_passing(measured)
        values, details = found or ({}, {})
        return Answer(values, reason, details=details, failed=failed)

    def _bound(self, metric: Any, real: Embedded, other: Embedded) -> dict[str, Any]:
        """What real music, or the unchanged source, has against the same references."""
        found, reason = measure.ask_in_passing(lambda: metric.compare(real, other.checked("files")))
        if found is None:
            return {"value": None, "reason": reason}
        values, details = found
        return {"value": next(iter(values.values())), "n": details["n"]}

    def _set(self, files: Files, known: Mapping[str, FileVectors]) -> Embedded:
        found = Embedded()
        for name, file in files.items():
            of_file = known.get(self._hashes[file], UNREADABLE)
            if of_file.vectors is None:
                found.skipped[name] = of_file.reason
            else:
                found.add(name, of_file.vectors, of_file.seconds)
        return found

    @cached_property
    def _stores(self) -> dict[Path, VectorStore]:
        """One for each embedding with its options."""
        stores = [VectorStore(chosen) for chosen in self.metrics]
        return {store.folder: store for store in stores}

    @cached_property
    def _known(self) -> dict[Path, dict[str, FileVectors]]:
        """Store → content → vectors."""
        return {
            folder: {c: f for c in self._files if (f := store.get(c)) is not None}
            for folder, store in self._stores.items()
        }

    @cached_property
    def _hashes(self) -> Mapping[Path, str]:
        g = self.given
        both = (g.references, g.estimates, g.held_out, g.sources)
        return hashes_of(f for files in both for f in files.values()) if self.metrics else {}

    @cached_property
    def _files(self) -> dict[str, Path]:
        """Content → a file that has it."""
        return {content: file for file, content in self._hashes.items() if content}
