"""Plans of the cells of a worker, traced by as many processes as there are cores.

Tracing is Python's work, so threads would not help. Cells whose stages look alike share their
traces, and stay in one process. Its children are forked: they have loaded what it has loaded.
"""

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import torch

from timbrebench.benchmarks.limits import settle
from timbrebench.benchmarks.session import Session
from timbrebench.benchmarks.worker import die_with_parent
from timbrebench.core.errors import one_line
from timbrebench.core.ways import NeedsMore

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Lock

Answers = dict[str, dict[str, Any]]
Tell = Callable[[Answers], None]
POLL = 0.05  # seconds between two looks at whether all is done

_sessions: dict[str, Session] = {}  # as forked children find them
_send: Tell  # of a forked child


def resolve_cells(
    cells: Mapping[str, Mapping[str, Any]], limits: Mapping[str, int | None], tell: Tell
) -> None:
    """Tells of each cell its plan, or why there is none, by its key; and of nothing, as a sign of
    life, between them."""
    _sessions.clear()
    _sessions.update({key: Session(cell) for key, cell in cells.items()})
    groups = _groups(tell)
    processes = min(len(groups), len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1)
    if processes < 2:
        for group in groups:
            _resolve(group, limits, tell)
        return
    if limits.get("host") is not None:
        settle()
    torch.set_num_threads(1)  # a forked process cannot use the threads of this one
    forked = multiprocessing.get_context("fork")
    reader, writer = forked.Pipe(duplex=False)
    begun = (os.getpid(), writer, forked.Lock())
    with ProcessPoolExecutor(processes, forked, _begin, begun) as pool:
        waiting = [pool.submit(_resolve_forked, group, limits) for group in groups]
        while not all(done.done() for done in waiting):
            if reader.poll(POLL):
                tell(reader.recv())
    while reader.poll():  # what a process sends is here before it ends
        tell(reader.recv())
    for done in waiting:
        done.result()


def _groups(tell: Tell) -> list[list[str]]:
    groups: dict[Hashable, list[str]] = {}
    for key, session in _sessions.items():
        tell({})  # each reads its corpus
        groups.setdefault(_likeness(key, session), []).append(key)
    return list(groups.values())


def _likeness(key: str, session: Session) -> Hashable:
    try:
        return frozenset(map(session.costs.likeness, session.stages))
    except Exception:  # its plan will say why
        return key


def _begin(parent: int, writer: "Connection", lock: "Lock") -> None:
    global _send
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who forked it is told
    die_with_parent(parent)

    def send(answers: Answers) -> None:
        with lock:
            writer.send(answers)

    _send = send


def _resolve_forked(keys: list[str], limits: Mapping[str, int | None]) -> None:
    _resolve(keys, limits, _send)


def _resolve(keys: list[str], limits: Mapping[str, int | None], tell: Tell) -> None:
    for key in keys:
        _sessions[key].costs.traced = lambda: tell({})
        tell({key: _plan(_sessions[key], limits)})


def _plan(session: Session, limits: Mapping[str, int | None]) -> dict[str, Any]:
    try:
        return session.plan(limits)
    except NeedsMore as error:
        return {"error": str(error), "status": "impossible", "least": error.least}
    except Exception as error:  # of one method: the others' plans stand
        traceback.print_exc()
        return {"error": one_line(error)}
