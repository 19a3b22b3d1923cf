"""Fetching weights from a server that stops, lies, or knows ranges."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from timbrebench.core import weights
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.weights import Weights

CONTENT = bytes(range(256)) * 20


class _Server(HTTPServer):
    """Serves ``content``; ``stop_after`` ends an answer early."""

    content = CONTENT
    stop_after: int | None = None
    ranges = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/weights.pth"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        if start >= len(self.server.content):
            self.send_error(416)
            return
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.stop_after])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=[0.01])
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def made_up(server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path))
    return Weights("net", "net.pth", server.url, hashlib.sha256(CONTENT).hexdigest(), 1 << 20)


def test_fetch_once(server: _Server, made_up: Weights) -> None:
    shares: list[float] = []
    assert "bench data prepare net" in made_up.missing()
    path = weights.fetch(made_up, progress=lambda what, share: shares.append(share))
    assert path.read_bytes() == CONTENT and shares[-1] == 1
    assert made_up.missing() == "" and made_up.verified() == path
    weights.fetch(made_up)
    assert len(server.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_stopped_download_goes_on(server: _Server, made_up: Weights, ranges: bool) -> None:
    server.stop_after, server.ranges = 1000, ranges
    with pytest.raises(BenchError, match="ended after 1000 of 5120 bytes"):
        weights.fetch(made_up)
    assert not made_up.path.exists()
    server.stop_after = None
    assert weights.fetch(made_up).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=1000-"]
    assert [p.name for p in made_up.path.parent.iterdir()] == ["net.pth"]


def test_a_complete_part_is_taken(server: _Server, made_up: Weights) -> None:
    made_up.path.parent.mkdir(parents=True)
    made_up.path.with_name("net.pth.part").write_bytes(CONTENT)
    assert weights.fetch(made_up).read_bytes() == CONTENT


def test_something_else_is_deleted(server: _Server, made_up: Weights) -> None:
    server.content = CONTENT[::-1]
    with pytest.raises(BenchError, match="another sha256"):
        weights.fetch(made_up)
    assert not list(made_up.path.parent.iterdir())


def test_an_endless_answer_is_refused(server: _Server, made_up: Weights) -> None:
    server.content = bytes(2 << 20)
    with pytest.raises(BenchError, match="longer than 1 MiB"):
        weights.fetch(made_up)


def test_a_damaged_file_is_fetched_anew(server: _Server, made_up: Weights) -> None:
    weights.fetch(made_up).write_bytes(CONTENT[1:])
    with pytest.raises(BenchError, match="bench data prepare net"):
        made_up.verified()
    assert weights.fetch(made_up).read_bytes() == CONTENT


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/x", "weights.pth"])
def test_only_http_addresses(made_up: Weights, url: str) -> None:
    with pytest.raises(BenchError, match=r"no http\(s\) address.*--from FILE"):
        weights.fetch(made_up, url=url)


def test_a_server_that_is_not_there(made_up: Weights) -> None:
    with pytest.raises(BenchError, match=r"could not be fetched .*--url MIRROR"):
        weights.fetch(made_up, url="http://127.0.0.1:9/x")


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
