"""What the tests of corpora share: a web server with recordings (real sockets and files), and small
corpora in the layouts that mirdata has indexes of."""

import contextlib
import hashlib
import io
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

RATE = 22050


def recording(
    seconds: float, hz: float, *, silence: float = 0.0, rate: int = RATE, format: str = "WAV"
) -> bytes:
    """A tone, with silence before and after it, as a file."""
    time_s = np.arange(round(seconds * rate)) / rate
    tone = 0.5 * np.sin(2 * np.pi * hz * time_s)
    quiet = np.zeros(round(silence * rate))
    file = io.BytesIO()
    sf.write(file, np.concatenate([quiet, tone, quiet]), rate, format=format)
    return file.getvalue()


class Site:
    """What a server has and what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[str, bytes]] = {}  # path → (content type, content)
        self.redirects: dict[str, str] = {}
        self.endless: set[str] = set()  # paths of files that begin again and again, with no length
        self.asked: list[tuple[str, str]] = []  # (path, Range)
        self.sent: dict[str, int] = {}  # bytes by path
        self.tells_length = True  # when it is asked for the head alone
        self.pause = 0.0  # seconds before each 16 KiB
        # path → another version, once half of the first was sent to who asked for it the second
        # time (the first time yt-dlp looks what it is)
        self.replaced: dict[str, bytes] = {}
        self.url = ""

    def add(self, path: str, content: bytes, kind: str = "audio/wav") -> str:
        """Its address."""
        self.files[path] = (kind, content)
        return self.url + path

    def record(self, path: str, seconds: float, hz: float, silence: float = 0.0) -> str:
        """The address of a tone."""
        return self.add(path, recording(seconds, hz, silence=silence))


@contextlib.contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.send_response(200 if self.path in site.files else 404)
            if self.path in site.files and site.tells_length:
                self.send_header("Content-Length", str(len(site.files[self.path][1])))
            self.end_headers()

        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            site.asked.append((self.path, asked))
            if self.path in site.redirects:
                self.send_response(302)
                self.send_header("Location", site.redirects[self.path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if self.path not in site.files:
                self.send_error(404)
                return
            kind, content = site.files[self.path]
            if self.path in site.endless:
                self.send_without_end(kind, content)
                return
            tag = f'"{hashlib.md5(content).hexdigest()}"'
            if self.headers.get("If-Range", tag) != tag:
                asked = ""
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
            begin = int(found[1]) if found else 0
            end = min(int(found[2]) + 1 if found and found[2] else len(content), len(content))
            self.send_response(206 if found else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(end - begin))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", tag)
            if found:
                self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
            self.end_headers()
            with contextlib.suppress(OSError):
                if self.path in site.replaced and site.asked.count((self.path, "")) == 2:
                    site.files[self.path] = (kind, site.replaced.pop(self.path))
                    self.send_slowly(content[begin : (begin + end) // 2])
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_slowly(content[begin:end])

        def send_without_end(self, kind: str, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Connection", "close")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range((600 << 20) // len(content)):  # as good as none
                    self.wfile.write(content)

        def send_slowly(self, content: bytes) -> None:
            for at in range(0, len(content), 1 << 14):
                time.sleep(site.pause)
                self.wfile.write(content[at : at + (1 << 14)])
                site.sent[self.path] = site.sent.get(self.path, 0) + len(
                    content[at : at + (1 << 14)]
                )

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: object) -> None:
            pass  # a client that went away

    server = Server((host, 0), Handler)
    site.url = f"http://{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def other_site() -> Iterator[Site]:
    """On another address of this machine."""
    with serving("127.0.0.2") as site:
        yield site


class Shelf:
    """A data root with corpora in mirdata's layouts."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(
        self,
        corpus: str,
        index: str,
        tracks: dict[str, dict[str, str]],
        *,
        absent: tuple[str, ...] = (),
        seconds: float = 3.0,
        rate: int = RATE,
    ) -> Path:
        """Writes an index and distinct audio (by suffix) for its files; returns the folder."""
        home, entries = self.root / corpus, {}
        for track, files in tracks.items():
            entries[track] = {}
            for kind, name in files.items():
                if track not in absent:
                    self.write(home / name, seconds, rate)
                there = (home / name).is_file()
                digest = hashlib.md5((home / name).read_bytes()).hexdigest() if there else ""
                entries[track][kind] = [name, digest]
        (self.root / "indexes").mkdir(parents=True, exist_ok=True)
        (self.root / "indexes" / index).write_text(json.dumps({"version": "x", "tracks": entries}))
        return home

    def write(self, path: Path, seconds: float, rate: int) -> None:
        if path.exists() or path.suffix not in (".wav", ".mp3"):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        pitch = int(hashlib.md5(path.name.encode()).hexdigest(), 16) % 900 + 100
        time_s = np.arange(round(seconds * rate)) / rate
        sf.write(path, 0.3 * np.sin(2 * np.pi * pitch * time_s), rate)


@pytest.fixture
def shelf(tmp_path: Path, cache: Path) -> Shelf:
    return Shelf(tmp_path / "root")
