"""Pieces of work over several processes, where a piece that kills its process ends alone."""

import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Protocol, TypeVar

from timbrebench.core.interfaces import Progress

Answer = TypeVar("Answer", covariant=True)


class Piece(Protocol[Answer]):
    """Something to do in another process (it is pickled)."""

    def run(self) -> Answer: ...


def run_all(pieces: Sequence[Piece[Answer]], jobs: int, progress: Progress) -> list[Answer | None]:
    """The pieces' answers in their order, by ``jobs`` processes; None where a process died."""
    answers: dict[int, Answer | None] = {}
    left = list(range(len(pieces)))
    while left:
        answers |= _run_together({i: pieces[i] for i in left}, jobs, progress)
        left = [i for i in left if i not in answers]
        # Pieces are begun in order: the one that killed its process is among the first left.
        for i in left[:jobs]:
            answers |= {i: None} | _run_together({i: pieces[i]}, 1, progress)
        left = left[jobs:]
    return [answers[i] for i in range(len(pieces))]


def _run_together(
    pieces: dict[int, Piece[Answer]], jobs: int, progress: Progress
) -> dict[int, Answer]:
    """The answers of all the pieces, or of those that were done when a process died."""
    answers: dict[int, Answer] = {}
    pool = ProcessPoolExecutor(min(jobs, len(pieces)), get_context("spawn"), _start)
    try:
        futures = {pool.submit(piece.run): i for i, piece in pieces.items()}
        for done in as_completed(futures):
            answers[futures[done]] = done.result()
            progress("scoring", len(answers) / len(pieces))
    except BrokenProcessPool:
        return answers
    finally:
        pool.shutdown(cancel_futures=True)
    return answers


def _start() -> None:
    """One thread, before numpy and torch are imported; an interrupt is the parent's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
