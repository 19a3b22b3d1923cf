"""``FaultyServer``: files over HTTP from a server that cuts, stalls, damages and refuses.

For the tests of a dataset's ``prepare``: give the :class:`~timbrebench.core.fetching.Remote`
records of the dataset addresses of this server, or name it as ``Fetching(mirror=server.url)``.
"""

import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_LONGEST_STALL = 30.0  # seconds


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer."""

    cut: int | None = None  # the connection ends after so many bytes of the body
    stall: bool = False  # and before it ends, nothing comes for long
    flip: int | None = None  # number of a byte of the file that comes wrong, if the answer has it
    status: int = 0  # an answer of an error in place of the file
    words: str | None = None  # that stand beside the status, in place of the usual ones
    headers: Mapping[str, str] | None = None  # put in, or in place of others
    ranges: bool = True  # False: the whole file whatever was asked for


class FaultyServer(ThreadingHTTPServer):
    """Serves ``files`` (name → content) at ``url``/NAME inside a ``with`` block.

    The answer number n has the fault ``faults[n]``; answers beyond the list are as ``always``
    says. ``asked`` has the name and the Range header of each request.
    """

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes], *faults: Fault, always: Fault = Fault()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.faults, self.always = dict(files), list(faults), always
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []  # of each request
        self.sent = 0  # bytes of bodies
        self.tags = True
        self.released = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=[0.01], daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "FaultyServer":
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.released.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that hangs up is what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: FaultyServer

    def do_GET(self) -> None:
        server, name = self.server, self.path.rpartition("/")[2]
        number = len(server.asked)
        server.asked.append((name, self.headers.get("Range", "")))
        server.headers.append(dict(self.headers))
        fault = server.faults[number] if number < len(server.faults) else server.always
        if fault.status or name not in server.files:
            headers = {"Content-Length": "0", **(fault.headers or {})}
            self._answer(fault.status or 404, headers, fault.words)
            return
        self._serve(server.files[name], fault)

    def do_HEAD(self) -> None:
        """The length, of a file without a fault; what was ``asked`` does not count it."""
        server, name = self.server, self.path.rpartition("/")[2]
        if name not in server.files or server.always.status:
            self._answer(server.always.status or 404, {"Content-Length": "0"})
            return
        self._answer(200, {"Content-Length": str(len(server.files[name]))})

    def _serve(self, content: bytes, fault: Fault) -> None:
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", tag) == tag
        start = int(asked[1]) if asked and same and fault.ranges else 0
        headers = {"ETag": tag} if self.server.tags else {}
        if start >= len(content) > 0:
            self._answer(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            return
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        headers["Content-Length"] = str(len(content) - start)
        self._answer(206 if start else 200, headers | dict(fault.headers or {}))
        self._send(_damaged(content, fault.flip)[start:], fault)

    def _answer(self, status: int, headers: Mapping[str, str], words: str | None = None) -> None:
        self.send_response(status, words)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, body: bytes, fault: Fault) -> None:
        body = body[: fault.cut]
        self.wfile.write(body)
        self.wfile.flush()
        self.server.sent += len(body)
        if fault.stall:
            self.server.released.wait(_LONGEST_STALL)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def _damaged(content: bytes, flip: int | None) -> bytes:
    if flip is None:
        return content
    return content[:flip] + bytes([content[flip] ^ 1]) + content[flip + 1 :]
