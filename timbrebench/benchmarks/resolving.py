"""Plans of the cells of a worker, traced by as many processes as there are cores.

Tracing is Python's work, so threads would not help. Cells whose stages look alike share their
traces, and stay in one process. Its children are forked: they have loaded what it has loaded.
"""

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Hashable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import torch

from timbrebench.benchmarks.session import Session
from timbrebench.benchmarks.worker import die_with_parent
from timbrebench.core.errors import one_line
from timbrebench.core.ways import NeedsMore

Answers = dict[str, dict[str, Any]]

_sessions: dict[str, Session] = {}  # as forked children find them


def resolved(
    cells: Mapping[str, Mapping[str, Any]], limits: Mapping[str, int | None]
) -> Iterator[Answers]:
    """Cell key → its plan, or why there is none; of some cells at a time."""
    _sessions.update({key: Session(cell) for key, cell in cells.items()})
    groups = _groups()
    processes = min(len(groups), len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1)
    if processes < 2:
        yield from (_resolve(group, limits) for group in groups)
        return
    torch.set_num_threads(1)  # a forked process cannot use the threads of this one
    forked = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(processes, forked, _begin, (os.getpid(),)) as pool:
        waiting = [pool.submit(_resolve, group, limits) for group in groups]
        yield from (done.result() for done in as_completed(waiting))


def _groups() -> list[list[str]]:
    groups: dict[Hashable, list[str]] = {}
    for key, session in _sessions.items():
        groups.setdefault(_likeness(key, session), []).append(key)
    return list(groups.values())


def _likeness(key: str, session: Session) -> Hashable:
    try:
        return frozenset(map(session.costs.likeness, session.stages))
    except Exception:  # its plan will say why
        return key


def _begin(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who forked it is told
    die_with_parent(parent)


def _resolve(keys: list[str], limits: Mapping[str, int | None]) -> Answers:
    return {key: _plan(_sessions[key], limits) for key in keys}


def _plan(session: Session, limits: Mapping[str, int | None]) -> dict[str, Any]:
    try:
        return session.plan(limits)
    except NeedsMore as error:
        return {"error": str(error), "status": "impossible"}
    except Exception as error:  # of one method: the others' plans stand
        traceback.print_exc()
        return {"error": one_line(error)}
