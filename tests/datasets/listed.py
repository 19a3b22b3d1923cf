"""A web server with recordings, for the tests of datasets that fetch: real sockets and files."""

import contextlib
import io
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
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
        self.asked: list[tuple[str, str]] = []  # (path, Range)
        self.sent: dict[str, int] = {}  # bytes by path
        self.pause = 0.0  # seconds before each 16 KiB
        self.url = ""

    def add(self, path: str, content: bytes, kind: str = "audio/wav") -> str:
        self.files[path] = (kind, content)
        return self.url + path


@contextlib.contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

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
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
            begin = int(found[1]) if found else 0
            end = min(int(found[2]) + 1 if found and found[2] else len(content), len(content))
            self.send_response(206 if found else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(end - begin))
            self.send_header("Accept-Ranges", "bytes")
            if found:
                self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.send_slowly(content[begin:end])

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
