"""What is kept of each recording, so that it is fetched once, whatever list names it.

    BASE/.fetching/URL/…                 a download that is not whole yet
    BASE/.kept/SETTINGS/NAME.flac        what is heard of a recording, at its full length
    BASE/.kept/SETTINGS/URL.json         which recording an address is, and what its site says of it

URL is a hash of the address, SETTINGS of the options that decide what is kept.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timbrebench
from timbrebench.core.errors import BenchError
from timbrebench.core.files import digest, read_json, write_json
from timbrebench.datasets.youtube.hosts import EVERYWHERE
from timbrebench.datasets.youtube.options import Options

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
        """What is kept of an address; None where nothing is."""
        try:
            found = read_json(self.folder / f"{_hash(url)}.json")
            return found if self.path(found["name"]).is_file() else None
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def keep(self, url: str) -> Mapping[str, Any]:
        """Fetches what is not kept yet. NotKept with the reason where that fails; what came of it
        stays, and the next time goes on from there."""
        if known := self.known(url):
            return known
        folder = self.base / ".fetching" / _hash(url)
        answer = _fetch(self._job(url, folder), folder, self)
        if "refused" in answer:
            raise NotKept(str(answer["refused"]))
        write_json(self.folder / f"{_hash(url)}.json", answer["kept"])
        shutil.rmtree(folder, ignore_errors=True)
        kept: Mapping[str, Any] = answer["kept"]
        return kept

    def _job(self, url: str, folder: Path) -> dict[str, Any]:
        options = self.options
        return {
            "url": url,
            "folder": str(folder.absolute()),
            "kept": str(self.folder.absolute()),
            "networks": EVERYWHERE if options.allow_private else (),
            "use_proxy": options.allow_private,
            "max_bytes": options.max_mib << 20,
            "max_seconds": options.max_hours * 3600,
            "seconds": options.seconds,
            "trim_db": options.trim_db,
            "rate": options.rate,
        }


def _hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def _fetch(job: Mapping[str, Any], folder: Path, keeper: Keeper) -> Mapping[str, Any]:
    """The answer of a process that fetches one recording."""
    answer = folder / "answer.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        answer.unlink(missing_ok=True)
        write_json(folder / "job.json", job)
        how = _wait(_start(folder, answer, keeper), keeper.options.deadline)
        found = read_json(answer) if answer.is_file() else {"refused": how}
    except OSError as error:
        raise BenchError(
            f"{folder} cannot be written to: {error.strerror}.", hint="Name another --data-root."
        ) from error
    return found if isinstance(found, dict) else {"refused": how}


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


def _wait(process: "subprocess.Popen[bytes]", deadline: float) -> str:
    """How a process ended that left no answer."""
    try:
        process.wait(deadline)
    except subprocess.TimeoutExpired:
        return f"it took over {deadline:g} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return f"fetching it ended with {process.returncode}"
