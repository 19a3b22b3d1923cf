"""One file over HTTP: it goes on where it was, and is never spliced from two versions.

What has come lies in NAME.part; NAME.part.json says which version of the file it is of. What is
held is asked for no more (``Range``, RFC 9110 section 14), on the condition that the file is still
the same (``If-Range``); where the server cannot tell, only a checksum allows to go on.
"""

import contextlib
import fcntl
import hashlib
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from timbrebench import __version__
from timbrebench.core.errors import BenchError, shown
from timbrebench.core.fetching import Fetching, Remote, check_space
from timbrebench.core.files import read_json, write_json
from timbrebench.core.interfaces import Progress
from timbrebench.core.meter import Meter
from timbrebench.core.units import bytes_text

SCHEMES = ("http", "https")
_BLOCK = 1 << 18  # bytes
_PATIENCE = 10.0  # seconds, of a question that may stay without an answer
_STEP = 1 << 20  # bytes; a try that brings as much, or a hundredth of the file, was not in vain
_AGAIN = (408, 425, 429, 500, 502, 503, 504)  # answers that may be another the next time
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


class Unfetched(Exception):
    """An address that did not give the file, with the reason."""


class _Failure(Exception):
    """One try that failed, and may go better the next time."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait  # seconds that the server asks for


def download(url: str, part: Path, remote: Remote, how: Fetching, progress: Progress) -> str:
    """Fills ``part`` with all of the file and returns its checksum in hexadecimal.

    Unfetched where the address does not give it. BenchError where it cannot be written.
    """
    if urlsplit(url).scheme not in SCHEMES:
        raise Unfetched("it is no http(s) address")
    opener = _opener(remote, how)
    with _Part.opened(part, remote) as held:
        if held.size and (held.size, held.digest) == (remote.size, remote.digest):
            return held.digest
        failures, wait, most = 0, how.wait, held.size
        while True:
            try:
                _once(opener, url, held, remote, how, progress)
                return held.digest
            except _Failure as failure:
                in_vain = held.size - most < min(_STEP, held.total // 100 or _STEP)
                failures, wait = (failures + 1, wait) if in_vain else (1, how.wait)
                most = max(most, held.size)
                if failures >= how.tries:
                    raise Unfetched(f"{failure}, {failures} times in a row") from None
                pause = min(max(wait, failure.wait), how.longest_wait)
                progress(f"{remote.name}: {failure}; again in {pause:.0f} s", held.share)
                time.sleep(pause)
                wait *= 2


def length(url: str, remote: Remote, how: Fetching) -> int | None:
    """Bytes that the server says the file has; None where it does not say. Asked once."""
    if urlsplit(url).scheme not in SCHEMES:
        return None
    headers = {"User-Agent": f"timbrebench/{__version__}"}
    try:
        request = urllib.request.Request(url, headers=headers, method="HEAD")
        with _opener(remote, how).open(request, timeout=min(how.timeout, _PATIENCE)) as answer:
            return int(answer.headers["Content-Length"])
    except (OSError, http.client.HTTPException, ValueError, TypeError, Unfetched):
        return None


# ---------------------------------------------------------------------------- one try


def _once(
    opener: urllib.request.OpenerDirector,
    url: str,
    held: "_Part",
    remote: Remote,
    how: Fetching,
    progress: Progress,
) -> None:
    """Asks for what is not held, and takes what comes. Returns only when all is there."""
    if held.size and not held.goes_on(url):
        held.restart({})
    request = urllib.request.Request(url, headers=_headers(url, held))
    try:
        with opener.open(request, timeout=how.timeout) as answer:
            _begin(answer, url, held, remote)
            _take(answer, held, remote, progress)
    except urllib.error.HTTPError as error:
        with error:
            _judge(error, held, remote)
    except (http.client.InvalidURL, ValueError) as error:
        raise Unfetched(_plain(error, how)) from error
    except (OSError, http.client.HTTPException) as error:
        if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
            raise Unfetched(_plain(error, how)) from error
        raise _Failure(_plain(error, how)) from error


def _headers(url: str, held: "_Part") -> dict[str, str]:
    headers = {"User-Agent": f"timbrebench/{__version__}"}
    if held.size:
        headers["Range"] = f"bytes={held.size}-"
        if validator := held.validator(url):
            headers["If-Range"] = validator
    return headers


def _begin(answer: http.client.HTTPResponse, url: str, held: "_Part", remote: Remote) -> None:
    """Whether the answer is what was asked for: the rest of the same file, or a file anew."""
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    part = answer.status == 206
    said = (found[3] if found else "*") if part else answer.headers.get("Content-Length") or "*"
    total = int(said) if said.isdigit() else None
    if remote.size is not None:
        _refuse_another(answer, total, remote.size)  # what is held may be the right one's beginning
    version = _version(url, answer, total)
    if not part:
        held.restart(version)
    elif not found or int(found[1]) != held.size or not held.same(version):
        held.restart({})
        raise _Failure("it answered with another part, or of another file, than was asked for")
    else:
        held.note_version(held.version or version)
    if max(total or 0, held.size) > remote.longest:
        raise Unfetched(_too_long(remote))
    check_space(held.path.parent, max(0, (total or remote.size or 0) - held.size), remote.name)


def _refuse_another(answer: http.client.HTTPResponse, total: int | None, size: int) -> None:
    """Where the answer is not the file of ``size`` bytes, but the page of a login, say."""
    if total is None and answer.headers.get_content_type() == "text/html":
        raise Unfetched(f"it answers with a web page, and should have {size} bytes")
    if total not in (None, size):
        known = Unfetched if answer.status == 200 else _Failure  # what a part is of may be a slip
        raise known(f"it has {total} bytes there, and should have {size}")


def _version(url: str, answer: http.client.HTTPResponse, total: int | None) -> dict[str, Any]:
    headers = answer.headers
    modified, tag = headers.get("Last-Modified"), headers.get("ETag")
    return {"url": url, "tag": tag, "modified": modified, "total": total}


def _take(
    answer: http.client.HTTPResponse, held: "_Part", remote: Remote, progress: Progress
) -> None:
    total = held.total or None
    meter = Meter(f"fetching {remote.name}", held.size, total)
    while block := answer.read1(_BLOCK):
        if held.size + len(block) > remote.longest:
            held.restart({})
            raise Unfetched(_too_long(remote))
        held.append(block)
        progress(*meter.at(held.size))
    if total is not None and held.size < total:
        raise _Failure(f"the connection ended after {held.size} of {total} bytes")


def _judge(error: urllib.error.HTTPError, held: "_Part", remote: Remote) -> None:
    """What an answer of an error means; returns where it means that all is held already."""
    if error.code == 416 and held.size:
        found = _RANGE.fullmatch(error.headers.get("Content-Range", ""))
        total = int(found[3]) if found and found[3] != "*" else held.total
        if held.size == (total or held.size):
            return
        held.restart({})
        raise _Failure("what was held is of another file there")
    told = shown(f"it answers {error.code} {error.reason}")
    if error.code not in _AGAIN:
        raise Unfetched(told)
    asked = error.headers.get("Retry-After", "")
    raise _Failure(told, float(asked) if asked.isdigit() else 0.0)


def _too_long(remote: Remote) -> str:
    return f"it is longer than {bytes_text(remote.longest)}"


def _plain(error: Exception, how: Fetching) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        return f"nothing came for {how.timeout:g} s"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ended early"
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return shown(str(text).partition("\n")[0])


# ---------------------------------------------------------------------------- what is held


class _Part:
    """The beginning of a file: its bytes, their checksum so far, and which version they are of."""

    def __init__(self, path: Path, file: IO[bytes], remote: Remote) -> None:
        self.path, self.file, self.remote = path, file, remote
        self.note = path.with_name(f"{path.name}.json")
        self.version = self._noted()
        self.hashed, self.size = hashlib.new(remote.algorithm), 0
        file.seek(0)
        while block := file.read(_BLOCK):
            self.hashed.update(block)
            self.size += len(block)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path, remote: Remote) -> Iterator["_Part"]:
        """The part, for this process alone; its note goes when it is whole."""
        with _writing(path):
            file = path.open("a+b")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BenchError(
                    f"{path}: another process is fetching it.", hint="Wait for it, or stop it."
                ) from None
            held = cls(path, file, remote)
            yield held
            held.note.unlink(missing_ok=True)

    @property
    def digest(self) -> str:
        return self.hashed.hexdigest()

    @property
    def total(self) -> int:
        """Bytes of the whole; 0 where nobody says."""
        return self.version.get("total") or self.remote.size or 0

    @property
    def share(self) -> float:
        return min(1.0, self.size / self.total) if self.total else 0.0

    def append(self, block: bytes) -> None:
        with _writing(self.path):
            self.file.write(block)
            self.file.flush()
        self.hashed.update(block)
        self.size += len(block)

    def restart(self, version: dict[str, Any]) -> None:
        """From the first byte, of that version."""
        with _writing(self.path):
            self.file.truncate(0)
        self.size, self.hashed = 0, hashlib.new(self.remote.algorithm)
        self.note_version(version)

    def note_version(self, version: dict[str, Any]) -> None:
        with _writing(self.path):
            write_json(self.note, version)
        self.version = version

    def goes_on(self, url: str) -> bool:
        """Whether more may be put behind what is held: the server will tell if the file is
        another one, or the checksum will."""
        return bool(self.remote.digest or self.validator(url))

    def validator(self, url: str) -> str:
        """What ``If-Range`` may hold: a strong tag or a date of this address, or nothing."""
        if self.version.get("url") != url:
            return ""
        tag = self.version.get("tag") or ""
        return tag if tag.startswith('"') else (self.version.get("modified") or "")

    def same(self, version: dict[str, Any]) -> bool:
        """Whether an answer is of the version that is held, as far as both say."""
        here = version["url"] == self.version.get("url")
        names = ("total", "tag", "modified") if here else ("total",)
        pairs = [(self.version.get(name), version[name]) for name in names]
        return all(a is None or b is None or a == b for a, b in pairs)

    def _noted(self) -> dict[str, Any]:
        try:
            found = read_json(self.note)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """A disk that cannot be written is no failure of the network."""
    try:
        yield
    except OSError as error:
        raise BenchError(
            f"{path} cannot be written: {error.strerror}.", hint="What came is kept."
        ) from error


# ---------------------------------------------------------------------------- the way


class _Redirects(urllib.request.HTTPRedirectHandler):
    """To http(s) only; to plain http only where a checksum says what came."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        weaker = scheme == "http" and urlsplit(req.full_url).scheme == "https"
        if scheme not in SCHEMES or (weaker and not self.remote.digest):
            fp.close()
            raise Unfetched(f"it leads to a {scheme}: address, which is refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(remote: Remote, how: Fetching) -> urllib.request.OpenerDirector:
    """Of http and https and nothing else, through the proxy that was asked for."""
    if how.proxy and urlsplit(how.proxy).scheme not in SCHEMES:
        raise BenchError(f"--proxy {how.proxy}: a proxy is http://HOST:PORT or https://….")
    proxies = dict.fromkeys(SCHEMES, how.proxy) if how.proxy else None
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        _Redirects(remote),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
