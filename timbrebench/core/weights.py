"""Trained parameters that others published: fetched by a command, checked, kept in the cache.

Nothing else downloads them. A file counts only with the SHA-256 that is written here.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING

from timbrebench.core.errors import BenchError, MissingData, UnknownName
from timbrebench.core.files import atomic_path, cache_root, sha256_of
from timbrebench.core.interfaces import Progress

if TYPE_CHECKING:
    from http.client import HTTPResponse

_TIMEOUT = 60  # seconds without an answer
_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class Weights:
    """A published file of parameters."""

    name: str  # what `bench data prepare` calls it
    file: str
    url: str
    sha256: str
    limit: int  # bytes; a longer answer is refused

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return cache_root() / "weights" / self.file

    @property
    def command(self) -> str:
        return f"bench data prepare {self.name}"

    def missing(self) -> str:
        """What is not there and the command that gets it; '' if there is a file of its name."""
        if self.path.is_file():
            return ""
        return f"the weights of {self.name} are not in the cache: {self.command}"

    def verified(self) -> Path:
        """The path, its content checked."""
        if not self.path.is_file():
            raise MissingData(f"{self.path}: no weights of {self.name}.", hint=self._advice())
        if sha256_of(self.path) != self.sha256:
            raise BenchError(
                f"{self.path}: these are not the weights of {self.name} (another sha256).",
                hint=self._advice(),
            )
        return self.path

    def _advice(self) -> str:
        return f"Run: {self.command}"


KNOWN: Mapping[str, Weights] = MappingProxyType(
    {
        "vggish": Weights(
            name="vggish",
            file="vggish-10086976.pth",
            url="https://github.com/harritaylor/torchvggish/releases/download/v0.1/"
            "vggish-10086976.pth",
            sha256="10086976245803799d9194e9a73d9b6c1549c71d1b80106f5cade5608a561f4b",
            limit=400 << 20,
        ),
        "pann": Weights(
            name="pann",
            file="Cnn14_16k_mAP=0.438.pth",
            url="https://zenodo.org/records/3987831/files/Cnn14_16k_mAP%3D0.438.pth",
            sha256="e2ee543a27919542c2ea03eabaa70b24dcd4e6c8e05621de6b67a94e4c5058e6",
            limit=400 << 20,
        ),
    }
)


def known(name: str) -> Weights:
    """The weights of that name."""
    if name not in KNOWN:
        raise UnknownName("weights", name, KNOWN)
    return KNOWN[name]


def install(weights: Weights, file: Path) -> Path:
    """Puts a file that the user has into the cache."""
    if not file.is_file():
        raise BenchError(f"{file}: no such file.", hint=f"The weights are at {weights.url}")
    if (found := sha256_of(file)) != weights.sha256:
        raise BenchError(
            f"{file}: its sha256 is {found[:16]}…, that of {weights.name} is "
            f"{weights.sha256[:16]}….",
            hint=f"The weights are at {weights.url}",
        )
    with atomic_path(weights.path) as temporary:
        shutil.copyfile(file, temporary)
    return weights.path


def fetch(
    weights: Weights, *, url: str = "", progress: Progress = lambda what, share: None
) -> Path:
    """Downloads weights (from a mirror if ``url`` is given) unless the cache has them.

    A download that was stopped goes on where it was.
    """
    from http.client import HTTPException

    path, url = weights.path, url or weights.url
    if path.is_file() and sha256_of(path) == weights.sha256:
        return path
    if not url.startswith(("https://", "http://")):
        raise BenchError(f"'{url}' is no http(s) address.", hint=_elsewhere(weights))
    part = path.with_name(f"{path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        _download(url, part, weights, progress)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise BenchError(
            f"{weights.name}: {url} could not be fetched ({reason}).", hint=_elsewhere(weights)
        ) from error
    _accept(part, weights, url)
    return path


def _download(url: str, part: Path, weights: Weights, progress: Progress) -> None:
    """Fills ``part``; what it holds already is not asked for again."""
    import urllib.error
    import urllib.request

    held = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={held}-"} if held else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if held and error.code == 416:  # nothing after what is held: it was complete
            return
        raise
    with answer:
        held = held if answer.status == 206 else 0
        with part.open("ab" if held else "wb") as out:
            _copy(answer, out, held, weights, progress)


def _copy(
    answer: "HTTPResponse", out: IO[bytes], held: int, weights: Weights, progress: Progress
) -> None:
    length = answer.headers.get("Content-Length")
    total = held + int(length) if length else None
    while block := answer.read(_BLOCK):
        held += len(block)
        if held > weights.limit:
            raise OSError(f"it is longer than {weights.limit >> 20} MiB")
        out.write(block)
        progress(f"fetching {weights.name}", held / total if total else 0.0)
    if total is not None and held < total:
        raise OSError(f"the connection ended after {held} of {total} bytes; what came is kept")


def _accept(part: Path, weights: Weights, url: str) -> None:
    """Makes a complete download the file, or deletes it if it is something else."""
    if sha256_of(part) != weights.sha256:
        part.unlink()
        raise BenchError(
            f"{url} holds something else than the weights of {weights.name} (another sha256); "
            "it was deleted.",
            hint=_elsewhere(weights),
        )
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(weights.path)


def _elsewhere(weights: Weights) -> str:
    return (
        f"Try again, or: {weights.command} --url MIRROR, or {weights.command} --from FILE "
        f"with the file from {weights.url}"
    )
