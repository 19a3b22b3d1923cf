"""Ends a process of ``bench`` at a chosen file operation. Python imports this module by itself
where its folder stands in PYTHONPATH; only tests of killed runs put it there.

TIMBREBENCH_TEST_KILL is JSON:

role       which process: bench, or the kind of a worker's job (train, evaluate, …)
operation  make (a temporary file), rename or remove, as Python's audit hooks tell of it
name       glob of the file's name; of what it becomes, where it is renamed
number     at which of these operations of the process, from 1
how        self, bench (a worker's parent, and so the worker), both, or write: the kernel ends the
           process while it writes, ``bytes`` into the next file that becomes so long. Or fill: it
           goes on, with ``bytes`` free on its ``disk``
after      seconds that it goes on before its end
mark       a file that is made then: a second process does not end there too
"""

import fnmatch
import json
import os
import resource
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

BALLAST = "ballast"  # what fills a disk
OPERATIONS = {"tempfile.mkstemp": "make", "os.rename": "rename", "os.remove": "remove"}


def role() -> str:
    """Of this process, by its command line."""
    words = sys.orig_argv
    if words[-1].endswith(".job.json"):
        return Path(words[-1]).name.removesuffix(".job.json")
    return "bench" if "timbrebench" in words else ""


def end(point: dict) -> None:
    if point["how"] == "write":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (point["bytes"], point["bytes"]))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
        return
    if point["how"] == "fill":
        fill(Path(point["disk"]), point["bytes"])
        return
    time.sleep(point["after"])
    if point["how"] in ("bench", "both"):
        os.kill(os.getppid(), signal.SIGKILL)
    if point["how"] == "bench":
        time.sleep(60)  # not one step further: the kernel ends it with its parent
    os.kill(os.getpid(), signal.SIGKILL)


def fill(disk: Path, room: int) -> None:
    free = shutil.disk_usage(disk).free
    with (disk / BALLAST).open("ab") as ballast:
        ballast.write(bytes(max(0, free - room)))


def watch(point: dict) -> None:
    mark, found = Path(point["mark"]), 0

    def hear(event: str, arguments: tuple) -> None:
        nonlocal found
        if OPERATIONS.get(event) != point["operation"]:
            return
        path = Path(str(arguments[1 if event == "os.rename" else 0]))
        if not fnmatch.fnmatch(path.name, point["name"]):
            return
        found += 1
        if found == point["number"]:
            mark.write_text(f"{point['role']} {path}")
            if point["after"]:
                threading.Thread(target=end, args=(point,), daemon=True).start()
            else:
                end(point)

    if not mark.exists():
        sys.addaudithook(hear)


given = json.loads(os.environ.get("TIMBREBENCH_TEST_KILL", "null"))
if given and given["role"] == role():
    watch(given)
