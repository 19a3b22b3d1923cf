"""Which version of a recording a download is of, so that it never goes on with another one's.

    FOLDER/media.part    what has come    FOLDER/version.json    what it is of

A site may offer another format the next day, or another file at the same address. What is held is
gone on with only if the server tells that its file is still the same (a strong ``ETag``, or
``Last-Modified``), now and once more when the rest is asked for (``If-Range``, RFC 9110 section
13.1.5).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timbrebench.core.errors import shown
from timbrebench.core.files import read_json, write_json

_TOLD = ("extractor_key", "id", "format_id", "protocol", "ext", "filesize")  # by yt-dlp


def offered(client: Any, info: Mapping[str, Any]) -> dict[str, Any]:
    """What yt-dlp and the server say of the file that would be fetched now; no validator where the
    server names none, or where it comes in fragments."""
    told = {key: info.get(key) for key in _TOLD}
    version = {key: shown(v) if isinstance(v, str) else v for key, v in told.items()}
    if info.get("protocol") not in ("http", "https"):
        return version
    from yt_dlp.networking import Request
    from yt_dlp.networking.exceptions import RequestError

    headers = {**(info.get("http_headers") or {}), "Accept-Encoding": "identity"}
    request = Request(info["url"], headers={**headers, "Range": "bytes=0-0"})
    try:
        with client.urlopen(request) as answer:
            told = answer.headers
            tag, modified = told.get("ETag"), told.get("Last-Modified")
            total = told.get("Content-Range", "").rpartition("/")[2] or told.get("Content-Length")
            return {**version, "tag": tag, "modified": modified, "total": total}
    except RequestError:  # the download itself will tell
        return version


def validator(version: Mapping[str, Any]) -> str:
    """What ``If-Range`` may hold; '' where the server could not tell one version from another."""
    tag = version.get("tag") or ""
    return tag if tag.startswith('"') else (version.get("modified") or "")


def make_ready(folder: Path, media: str, version: Mapping[str, Any]) -> None:
    """Leaves of a download only what may be gone on with, and notes what it is of."""
    noted, whole = _noted(folder), (folder / media).is_file()
    if noted != version or not (whole or validator(version)):
        for path in folder.glob(f"{media}*"):
            path.unlink()
    write_json(folder / "version.json", version)


def _noted(folder: Path) -> Any:
    try:
        return read_json(folder / "version.json")
    except (OSError, ValueError):
        return None
