"""One recording: fetched by yt-dlp, decoded, kept. A process of its own, with its hands tied.

    python -m timbrebench.datasets.youtube.fetcher JOB.json ANSWER.json

It connects to allowed addresses only (``hosts.guard``), runs no program, reads no configuration,
cookies or plugins, and has limits of memory, time and file size. What it is given by a site goes
into the answer as data; no name is made from it.
"""

import contextlib
import ctypes
import hashlib
import resource
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from timbrebench.core.errors import BenchError, shown
from timbrebench.core.fetching import check_space
from timbrebench.core.files import read_json, write_json
from timbrebench.core.units import bytes_text
from timbrebench.datasets.youtube.hosts import guard
from timbrebench.datasets.youtube.keeping import MEDIA
from timbrebench.datasets.youtube.reasons import NoRoom, Unfit, told
from timbrebench.datasets.youtube.versions import make_ready, offered, validator
from timbrebench.datasets.youtube.watching import Noting

# Those of yt-dlp's ways to ask that use Python's sockets, which the guard sees. libcurl's are not.
_THROUGH_SOCKETS = ("Urllib", "Requests", "Websockets")


def main(job_file: str, answer_file: str) -> None:
    job, answer = read_json(Path(job_file)), Path(answer_file)
    _limit(job)
    refused = guard(job["networks"])
    try:
        write_json(answer, {"kept": _fetched(job)})
        return
    except MemoryError:
        answered = {
            "refused": f"it needs over {bytes_text(job['memory'])} of memory",
            "final": True,
        }
    except Exception as error:  # whatever a site makes a parser raise
        answered = told(error, refused, job)
    write_json(answer, answered)


def _limit(job: Mapping[str, Any]) -> None:
    """Memory and file size; and the end of the parent is its own."""
    resource.setrlimit(resource.RLIMIT_DATA, (job["memory"], job["memory"]))
    largest = max(job["max_bytes"], 2 << 30) + (1 << 20)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    with contextlib.suppress(OSError, AttributeError):  # Linux
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _fetched(job: Mapping[str, Any]) -> dict[str, Any]:
    from timbrebench.datasets.youtube.sound import keep

    folder = Path(job["folder"])
    info = download(job, folder)
    Noting(folder).decoding()
    name = _name(info)
    target = Path(job["kept"]) / f"{name}.flac"
    longest = (job["max_seconds"], job["seconds"])
    seconds = keep(folder / MEDIA, target, job["rate"], job["trim_db"], longest)
    return {
        "name": name,
        "extractor": _text(info.get("extractor_key")),
        "id": _text(info.get("id")),
        "site_title": _text(info.get("title")),
        "seconds": seconds,
    }


def _name(info: Mapping[str, Any]) -> str:
    """Of nothing but what tells recordings apart; the generic extractor's ids do not."""
    parts = [str(info.get("extractor_key")), str(info.get("id"))]
    if parts[0] == "Generic":
        parts.append(str(info.get("webpage_url")))
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]


def _text(value: Any) -> str:
    """A site's own words, as they can be printed and kept."""
    return shown(str(value or ""))


def download(job: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Fills FOLDER/media, going on where it was if the file is still the same, and returns what
    yt-dlp says of it."""
    with _client(_settings(job, folder)) as client:
        info: Mapping[str, Any] = client.extract_info(job["url"], download=False) or {}
        if reason := wrong_with(info, job["max_seconds"]):
            raise Unfit(reason)
        version = offered(client, info)
        make_ready(folder, MEDIA, version)
        _check_size(job, folder, version)
        client.process_info(_conditional(info, validator(version)))
    if not (folder / MEDIA).is_file():
        raise Unfit("nothing was downloaded")
    return info


def _client(settings: Mapping[str, Any]) -> Any:
    """yt-dlp, which asks by nothing that the guard does not see."""
    import yt_dlp

    class Client(yt_dlp.YoutubeDL):  # type: ignore[misc]
        def build_request_director(self, handlers: Iterable[Any], preferences: Any = None) -> Any:
            seen = [handler for handler in handlers if handler.RH_KEY in _THROUGH_SOCKETS]
            return super().build_request_director(seen, preferences)

    return Client(settings)


def _check_size(job: Mapping[str, Any], folder: Path, version: Mapping[str, Any]) -> None:
    """Whether what is offered may be taken, and the disk has room for what of it is not held."""
    told = str(version.get("total") or version.get("filesize") or "")
    total = int(told) if told.isdecimal() else 0
    if total > job["max_bytes"]:
        raise Unfit(_too_large(job))
    held = sum(path.stat().st_size for path in folder.glob(f"{MEDIA}*"))
    try:
        check_space(folder, max(0, total - held), "the recording")
    except BenchError as error:
        raise NoRoom(str(error)) from None


def _conditional(info: Mapping[str, Any], validator: str) -> dict[str, Any]:
    """The chosen format, any rest of which is asked for only while the file is still the same:
    yt-dlp begins anew where it gets the whole instead."""
    headers = dict(info.get("http_headers") or {})
    return {**info, "http_headers": headers | ({"If-Range": validator} if validator else {})}


def wrong_with(info: Mapping[str, Any], max_seconds: float) -> str:
    """Why what a site offers is not taken; '' if it is."""
    if info.get("_type", "video") != "video" or "entries" in info:
        return "it is a playlist"
    if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
        return "it is live"
    seconds = info.get("duration")
    if isinstance(seconds, int | float) and seconds > max_seconds:
        return f"it lasts {seconds / 3600:.1f} hours; {max_seconds / 3600:g} are the most"
    return ""


def _settings(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    noting = Noting(folder)

    def watch(status: Mapping[str, Any]) -> None:
        if (status.get("downloaded_bytes") or 0) > job["max_bytes"]:
            raise Unfit(_too_large(job))
        noting.came(status)

    return {
        "format": "bestaudio/best",
        "outtmpl": {"default": MEDIA},
        "paths": {"home": str(folder)},
        "noplaylist": True,
        "playlist_items": "1",
        "lazy_playlist": True,
        "extract_flat": "in_playlist",
        "progress_hooks": [watch],
        "socket_timeout": 30,
        "retries": 3,
        "fragment_retries": 3,
        "extractor_retries": 1,
        "continuedl": True,
        "cachedir": False,
        "cookiefile": None,
        "cookiesfrombrowser": None,
        "usenetrc": False,
        "external_downloader": None,
        "hls_prefer_native": True,
        "postprocessors": [],
        "default_search": "error",
        "updatetime": False,
        "color": "no_color",
        "quiet": True,
        "noprogress": True,
        "logger": _Silent(),
        **({} if job["use_proxy"] else {"proxy": ""}),
    }


class _Silent:
    """What yt-dlp says beside its errors is not for the user."""

    def debug(self, message: str) -> None: ...

    info = warning = error = debug


def _too_large(job: Mapping[str, Any]) -> str:
    return f"it has over {bytes_text(job['max_bytes'])}"


if __name__ == "__main__":
    main(*sys.argv[1:])
