"""One recording: fetched by yt-dlp, decoded, kept. A process of its own, with its hands tied.

    python -m timbrebench.datasets.youtube.fetcher JOB.json ANSWER.json

It connects to allowed addresses only (``hosts.guard``), runs no program, reads no configuration,
cookies or plugins, and has limits of memory, time and file size. What it is given by a site goes
into the answer as data; no name is made from it.
"""

import contextlib
import ctypes
import hashlib
import re
import resource
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timbrebench.core.errors import BadAudio, BenchError, one_line
from timbrebench.core.files import read_json, write_json
from timbrebench.datasets.youtube.hosts import Forbidden, guard
from timbrebench.datasets.youtube.versions import make_ready, offered, validator

_MEMORY = 3 << 30  # bytes
_MEDIA = "media"  # what a download is called
_LONGEST_TEXT = 500  # characters of a site's own words


class Unfit(Exception):
    """A recording that is not taken, with the reason."""


def main(job_file: str, answer_file: str) -> None:
    job = read_json(Path(job_file))
    _limit(job)
    refused = guard(job["networks"])
    answer: dict[str, Any]
    try:
        answer = {"kept": _fetched(job)}
    except MemoryError:
        answer = {"refused": f"it needs over {_MEMORY >> 30} GiB of memory"}
    except Exception as error:  # whatever a site makes a parser raise
        answer = {"refused": refused[0] if refused else _reason(error)}
    write_json(Path(answer_file), answer)


def _limit(job: Mapping[str, Any]) -> None:
    """Memory and file size; and the end of the parent is its own."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    largest = max(job["max_bytes"], 2 << 30) + (1 << 20)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    with contextlib.suppress(OSError, AttributeError):  # Linux
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _fetched(job: Mapping[str, Any]) -> dict[str, Any]:
    from timbrebench.datasets.youtube.sound import keep

    folder = Path(job["folder"])
    info = download(job, folder)
    name = _name(info)
    target = Path(job["kept"]) / f"{name}.flac"
    longest = (job["max_seconds"], job["seconds"])
    try:
        seconds = keep(folder / _MEDIA, target, job["rate"], job["trim_db"], longest)
    except BadAudio:
        (folder / _MEDIA).unlink()  # it may be another the next time
        raise
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
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _text(value: Any) -> str:
    return str(value or "")[:_LONGEST_TEXT]


def download(job: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Fills FOLDER/media, going on where it was if the file is still the same, and returns what
    yt-dlp says of it."""
    import yt_dlp

    told: list[str] = []
    with yt_dlp.YoutubeDL(_settings(job, folder, told)) as client:
        info = client.extract_info(job["url"], download=False) or {}
        if reason := wrong_with(info, job["max_seconds"]):
            raise Unfit(reason)
        version = offered(client, info)
        make_ready(folder, _MEDIA, version)
        client.process_info(_conditional(info, validator(version)))
    if not (folder / _MEDIA).is_file():
        larger = any("larger than max-filesize" in line for line in told)
        raise Unfit(_too_large(job) if larger else "nothing was downloaded")
    return info


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


def _settings(job: Mapping[str, Any], folder: Path, told: list[str]) -> dict[str, Any]:
    def watch(status: Mapping[str, Any]) -> None:
        if (status.get("downloaded_bytes") or 0) > job["max_bytes"]:
            raise Unfit(_too_large(job))

    return {
        "format": "bestaudio/best",
        "outtmpl": {"default": _MEDIA},
        "paths": {"home": str(folder)},
        "noplaylist": True,
        "playlist_items": "1",
        "lazy_playlist": True,
        "extract_flat": "in_playlist",
        "max_filesize": job["max_bytes"],
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
        "enable_file_urls": False,
        "external_downloader": None,
        "hls_prefer_native": True,
        "fixup": "never",
        "postprocessors": [],
        "default_search": "error",
        "updatetime": False,
        "color": "no_color",
        "quiet": True,
        "noprogress": True,
        "logger": _Log(told),
        **({} if job["use_proxy"] else {"proxy": ""}),
    }


class _Log:
    """What yt-dlp says: kept, not shown."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def debug(self, message: str) -> None:
        self._told[99:] = [message[:_LONGEST_TEXT]]

    info = warning = error = debug


def _too_large(job: Mapping[str, Any]) -> str:
    return f"it has over {job['max_bytes'] >> 20} MiB"


def _reason(error: Exception) -> str:
    """One line without yt-dlp's own advice."""
    if isinstance(error, Unfit | Forbidden):
        return str(error)
    inner = getattr(error, "exc_info", None)
    if inner and isinstance(inner[1], Unfit | Forbidden):
        return str(inner[1])
    if isinstance(error, BenchError):
        return getattr(error, "reason", None) or one_line(error)
    text = re.sub(r"^ERROR: (\[[^\]]*\] )?([^:\s]+: )?", "", str(error)).partition("\n")[0]
    text = re.split(r" \(caused by|; please report|\. See {2}|  \(", text)[0]
    return f"it cannot be fetched ({(text or type(error).__name__)[:_LONGEST_TEXT]})"


if __name__ == "__main__":
    main(*sys.argv[1:])
