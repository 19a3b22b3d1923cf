"""16 kHz mono of StarNet's stems, in processes beside the one that unpacks.

    python -m timbrebench.datasets.starnet.derive

reads a JSON line {"source", "target"} and answers one, until its input ends. What is in an archive
may be anything: a decoder that crashes, hangs or wants too much memory ends its own file only.
"""

import contextlib
import json
import os
import queue
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

RATE = 16000  # Hz
_LONGEST = 3600.0  # seconds of a piece
_MEMORY = 2 << 30  # bytes of data that a process may have
_DEADLINE = 600.0  # seconds for one file
_MOST_PROCESSES = 8
_END = 5.0  # seconds that a process which closed its output has to end
_KILLS = (signal.SIGKILL, signal.SIGTERM)  # what a kernel short of memory, or a person, sends


def derive(source: Path, target: Path) -> dict[str, Any]:
    """Writes the 16 kHz mono version (FLAC, 16 bits). BadAudio with the reason if it is no audio.

    What the inventory keeps of it: size, sha256, seconds, and the gain that kept it from clipping.
    """
    from timbrebench.core import audio
    from timbrebench.core.errors import BadAudio
    from timbrebench.core.inventory import describe

    told, *_ = audio.probe(source)
    samples = audio.load(source, RATE, seconds=_LONGEST + 1) if told <= _LONGEST else None
    if samples is None or len(samples) > _LONGEST * RATE:
        raise BadAudio(source, f"it lasts over {_LONGEST / 60:g} minutes")
    gain = audio.write(target, samples, RATE)
    return describe(target) | {"seconds": len(samples) / RATE, "gain": gain}


class Derivers:
    """A few processes, each with a thread that hands it files. Use as a context; what is not
    waited for (:meth:`drain`) is stopped at its end."""

    def __init__(self) -> None:
        count = min(_cores(), _MOST_PROCESSES)
        self.places = threading.Semaphore(count + 1)  # files that wait take disk
        self.idle: queue.LifoQueue[_Process] = queue.LifoQueue()
        self.processes = [_Process() for _ in range(count)]
        for process in self.processes:
            self.idle.put(process)
        self.pool = ThreadPoolExecutor(count)
        self.waiting: list[Future[None]] = []

    def __enter__(self) -> "Derivers":
        return self

    def __exit__(self, *raised: object) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)
        for process in self.processes:
            process.end()
        self.pool.shutdown()

    def drain(self) -> None:
        """Waits for all that was submitted; raises what ``done`` raised."""
        for future in self.waiting:
            future.result()
        self.waiting.clear()

    def submit(self, source: Path, target: Path, done: Callable[[dict[str, Any]], None]) -> None:
        """Waits for a free place; ``done`` gets what the inventory keeps, {'refused': why}, or
        {'failed': why} where it may go better the next time. It is called in a thread."""
        self.places.acquire()
        self.waiting.append(self.pool.submit(self._work, source, target, done))

    def _work(self, source: Path, target: Path, done: Callable[[dict[str, Any]], None]) -> None:
        process = self.idle.get()
        try:
            done(process.ask(source, target))
        finally:
            self.idle.put(process)
            self.places.release()


class _Process:
    """One that derives, started when it is first asked, and again after it ended."""

    def __init__(self) -> None:
        self.running: subprocess.Popen[str] | None = None
        self.ended = False
        self.late = threading.Event()  # set where we end it, since it takes too long

    def ask(self, source: Path, target: Path) -> dict[str, Any]:
        """The answer. What ends two processes is refused, unless somebody killed them: memory may
        have been short, and the next time it may not be."""
        for _ in range(2):
            if answer := self._answer({"source": str(source), "target": str(target)}):
                return json.loads(answer)
            if self.ended:
                return {"failed": "it was stopped"}
        if self._was_killed():
            return {"failed": "the process that decodes it was killed; the machine may lack memory"}
        return {"refused": "decoding it ends its process, or takes too long"}

    def _was_killed(self) -> bool:
        """Whether the last process was ended from outside: not by its own crash, nor by us."""
        assert self.running
        return not self.late.is_set() and -self.running.returncode in _KILLS

    def _answer(self, asked: dict[str, str]) -> str:
        """'' where the process ended before it gave one."""
        if self.running is None or self.running.poll() is not None:
            self.running = self._start()
        assert self.running.stdin and self.running.stdout
        self.late.clear()
        timer = threading.Timer(_DEADLINE, self._stop_late)
        timer.start()
        try:
            self.running.stdin.write(json.dumps(asked) + "\n")
            self.running.stdin.flush()
            answer = self.running.stdout.readline()
        except OSError:  # it ended just now
            answer = ""
        finally:
            timer.cancel()
        if not answer:
            self._reap()
        return answer

    def _stop_late(self) -> None:
        assert self.running
        self.late.set()
        self.running.kill()

    def _reap(self) -> None:
        """Lets a process that gave no answer end, by itself if it does."""
        assert self.running
        try:
            self.running.wait(_END)
        except subprocess.TimeoutExpired:
            self.late.set()
            self.running.kill()
            self.running.wait()

    def _start(self) -> "subprocess.Popen[str]":
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        return subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # an interrupt of the terminal is the parent's affair
            env=os.environ | one | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def end(self) -> None:
        self.ended = True
        if self.running is not None:
            self.running.kill()
            self.running.wait()


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    from timbrebench.core.errors import BadAudio, one_line

    with contextlib.suppress(ValueError, OSError):  # a lower limit holds already
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = derive(Path(asked["source"]), Path(asked["target"]))
        except BadAudio as error:
            answer = {"refused": error.reason}
        except MemoryError:
            answer = {"refused": "decoding it takes more memory than a piece may"}
        except Exception as error:  # of one file: the others are made
            answer = {"failed": one_line(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
