"""Trained parameters that others published: fetched by a command, checked, kept in the cache.

Nothing else downloads them. A file counts only with the SHA-256 that is written here.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from timbrebench.core import fetching
from timbrebench.core.errors import BenchError, MissingData, UnknownName
from timbrebench.core.files import atomic_path, cache_root, sha256_of
from timbrebench.core.interfaces import Progress


@dataclass(frozen=True)
class Weights:
    """A published file of parameters."""

    name: str  # what `bench data prepare` calls it
    file: str
    url: str
    sha256: str
    limit: int  # bytes; a longer answer is refused
    licence: str = ""
    citation: str = ""

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return cache_root() / "weights" / self.file

    @property
    def remote(self) -> fetching.Remote:
        return fetching.Remote(
            self.file, self.url, checksum=f"sha256:{self.sha256}", limit=self.limit
        )

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
            licence="Apache-2.0",
            citation="Hershey et al., CNN architectures for large-scale audio classification, "
            "ICASSP 2017",
        ),
        "pann": Weights(
            name="pann",
            file="Cnn14_16k_mAP=0.438.pth",
            url="https://zenodo.org/records/3987831/files/Cnn14_16k_mAP%3D0.438.pth",
            sha256="e2ee543a27919542c2ea03eabaa70b24dcd4e6c8e05621de6b67a94e4c5058e6",
            limit=400 << 20,
            licence="CC BY 4.0",
            citation="Kong et al., PANNs, IEEE/ACM TASLP 2020",
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


def fetch(weights: Weights, *, progress: Progress = lambda what, share: None) -> Path:
    """Puts weights into the cache: from the folder of ``--from``, or by a download that goes on
    where it was. Nothing is done where the cache has them."""
    found = fetching.fetch(weights.remote, weights.path.parent, progress=progress)
    return found if found == weights.path else install(weights, found)
