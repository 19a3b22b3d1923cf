"""What is kept of each recording, so that it is fetched once, whatever list names it.

    BASE/.fetching/URL/…                 a download that is not whole yet
    BASE/.kept/SETTINGS/NAME.flac        what is heard of a recording, at its full length
    BASE/.kept/SETTINGS/URL.json         which recording an address is, and what its site says of it

URL is a hash of the address, SETTINGS of the options that decide what is kept.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timbrebench
from timbrebench.core.errors import BenchError
from timbrebench.core.files import digest, read_json, remove_parts, sha256_of, write_json
from timbrebench.core.interfaces import Progress
from timbrebench.datasets.youtube.hosts import EVERYWHERE
from timbrebench.datasets.youtube.options import Options
from timbrebench.datasets.youtube.watching import Telling

MEDIA = "media"  # what a download is called
_MEMORY = 3 << 30  # bytes that fetching a recording may take
_PAUSE = 0.2  # seconds between two looks at how far it is
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PROXY = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class NotKept(Exception):
    """A recording that is not there, with the reason."""


@dataclass(frozen=True)
class Keeper:
    """Where recordings are kept, and how. ``proxy``: by which they come, if not by the
    environment's."""

    base: Path
    options: Options
    proxy: str = ""

    @property
    def folder(self) -> Path:
        options = self.options
        return self.base / ".kept" / digest([options.rate, options.trim_db, options.seconds])

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.flac"

    def known(self, url: str) -> Mapping[str, Any] | None:
        """What is kept of an address; None where nothing is, or it was damaged since."""
        try:
            found = read_json(self.folder / f"{_hash(url)}.json")
            return found if sha256_of(self.path(found["name"])) == found["sha256"] else None
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def keep(self, url: str, progress: Progress) -> Mapping[str, Any]:
        """Fetches what is not kept yet. NotKept with the reason where that fails: of what is
        refused nothing stays, else the next time goes on with what came."""
        if known := self.known(url):
            return known
        folder = self._fetching / _hash(url)
        answer = _fetch(self._job(url, folder), folder, self, progress)
        if "stop" in answer:
            raise BenchError(answer["stop"])
        if "refused" in answer:
            if answer.get("final") or not any(folder.glob(f"{MEDIA}*")):
                shutil.rmtree(folder, ignore_errors=True)
            raise NotKept(str(answer["refused"]))
        kept = answer["kept"] | {"sha256": sha256_of(self.path(answer["kept"]["name"]))}
        write_json(self.folder / f"{_hash(url)}.json", kept)
        shutil.rmtree(folder, ignore_errors=True)
        return dict(kept)

    def sweep(self, urls: Iterable[str]) -> None:
        """Takes away what came of addresses that are listed no more, and what a kill left half
        written."""
        listed = {_hash(url) for url in urls}
        for folder in self._fetching.glob("*"):
            if folder.name not in listed:
                shutil.rmtree(folder, ignore_errors=True)
        remove_parts(self.folder)

    @property
    def _fetching(self) -> Path:
        return self.base / ".fetching"

    def _job(self, url: str, folder: Path) -> dict[str, Any]:
        options = self.options
        return {
            "url": url,
            "folder": str(folder.absolute()),
            "kept": str(self.folder.absolute()),
            "networks": EVERYWHERE if options.allow_private else (),
            "use_proxy": options.allow_private,
            "memory": _MEMORY,
            "max_bytes": options.max_mib << 20,
            "max_seconds": options.max_hours * 3600,
            "seconds": options.seconds,
            "trim_db": options.trim_db,
            "rate": options.rate,
        }


def _hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def _fetch(
    job: Mapping[str, Any], folder: Path, keeper: Keeper, progress: Progress
) -> Mapping[str, Any]:
    """The answer of a process that fetches one recording."""
    answer = folder / "answer.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        answer.unlink(missing_ok=True)
        write_json(folder / "job.json", job)
        telling = Telling(folder, progress)
        late, ended = _wait(_start(folder, answer, keeper), keeper.options.deadline, telling)
        if answer.is_file() and isinstance(found := read_json(answer), dict):
            return found
    except OSError as error:
        raise BenchError(
            f"{folder} cannot be written to: {error.strerror}.", hint="Name another --data-root."
        ) from error
    # What ends a process once would do so again.
    return {"refused": ended, "final": not late and (folder / MEDIA).is_file()}


def _start(folder: Path, answer: Path, keeper: Keeper) -> "subprocess.Popen[bytes]":
    """With an environment of its own: no configuration, plugin or password of the user's."""
    of_environment = keeper.options.allow_private and not keeper.proxy
    taken = [*_PASSED_ON, *(_PROXY if of_environment else ())]
    environment = {k: v for k, v in os.environ.items() if k in taken or k.lower() in taken}
    environment |= dict.fromkeys(_PROXY[:2], keeper.proxy) if keeper.proxy else {}
    package = str(Path(timbrebench.__file__).parents[1])
    environment |= {
        "HOME": str(folder.absolute()),
        "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")]).rstrip(":"),
        "YTDLP_NO_PLUGINS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    module = f"{__package__}.fetcher"
    return subprocess.Popen(
        [sys.executable, "-m", module, str(folder.absolute() / "job.json"), str(answer.absolute())],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait(
    process: "subprocess.Popen[bytes]", deadline: float, telling: Telling
) -> tuple[bool, str]:
    """(whether it was over the deadline, how it ended), which matters where it left no answer."""
    ends = time.monotonic() + deadline
    try:
        while process.poll() is None and time.monotonic() < ends:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(_PAUSE, deadline))
            telling.tell()
    finally:
        late = process.poll() is None
        if late:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    ended = f"fetching it ended with {process.returncode}"
    return late, f"it took over {deadline:g} s" if late else ended
