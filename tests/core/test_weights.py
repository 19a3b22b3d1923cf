"""Weights of others: fetched into the cache, and checked."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from timbrebench.core import weights
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.fetching import Fetching, using
from timbrebench.core.weights import Weights
from timbrebench.testing.server import Fault, FaultyServer

CONTENT = bytes(range(256)) * 20


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with (
        FaultyServer({"net.pth": CONTENT}) as running,
        using(Fetching(timeout=1, tries=2, wait=0.01)),
    ):
        yield running


@pytest.fixture
def made_up(server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path / "cache"))
    digest = hashlib.sha256(CONTENT).hexdigest()
    return Weights("net", "net.pth", f"{server.url}/net.pth", digest, 1 << 20)


def test_fetch_once(server: FaultyServer, made_up: Weights) -> None:
    shares: list[float] = []
    assert "bench data prepare net" in made_up.missing()
    path = weights.fetch(made_up, progress=lambda what, share: shares.append(share))
    assert path.read_bytes() == CONTENT and shares[-1] == 1
    assert made_up.missing() == "" and made_up.verified() == path
    weights.fetch(made_up)
    assert len(server.asked) == 1


def test_a_stopped_download_goes_on(server: FaultyServer, made_up: Weights) -> None:
    server.faults, server.always = [Fault(cut=1000)], Fault(cut=0)
    with pytest.raises(BenchError, match="ended after 1000 of 5120 bytes"):
        weights.fetch(made_up)
    assert not made_up.path.exists()
    server.always = Fault()
    assert weights.fetch(made_up).read_bytes() == CONTENT
    assert [p.name for p in made_up.path.parent.iterdir()] == ["net.pth"]


def test_something_else_is_deleted(server: FaultyServer, made_up: Weights) -> None:
    server.files["net.pth"] = CONTENT[::-1]
    with pytest.raises(BenchError, match="another sha256"):
        weights.fetch(made_up)
    assert not list(made_up.path.parent.iterdir())


def test_an_endless_answer_is_refused(server: FaultyServer, made_up: Weights) -> None:
    server.files["net.pth"] = bytes(2 << 20)
    with pytest.raises(BenchError, match="longer than 1 MiB"):
        weights.fetch(made_up)


def test_a_damaged_file_is_fetched_anew(server: FaultyServer, made_up: Weights) -> None:
    weights.fetch(made_up).write_bytes(CONTENT[1:])
    with pytest.raises(BenchError, match="bench data prepare net"):
        made_up.verified()
    assert weights.fetch(made_up).read_bytes() == CONTENT


def test_from_a_folder_into_the_cache(made_up: Weights, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(CONTENT)
    with using(Fetching(source=tmp_path)):
        assert weights.fetch(made_up) == made_up.verified()
    assert made_up.path.parent != tmp_path


def test_install_from_a_file(made_up: Weights, tmp_path: Path) -> None:
    given = tmp_path / "given.pth"
    with pytest.raises(BenchError, match="no such file"):
        weights.install(made_up, given)
    given.write_bytes(CONTENT[1:])
    with pytest.raises(BenchError, match="its sha256 is"):
        weights.install(made_up, given)
    given.write_bytes(CONTENT)
    assert weights.install(made_up, given) == made_up.verified()


def test_unknown_weights() -> None:
    with pytest.raises(UnknownName, match="vggish"):
        weights.known("vgish")
