"""Lists of recordings, and jobs of fetchers: for the tests of YouTube."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from timbrebench.core.files import read_json, write_json
from timbrebench.datasets.youtube import fetcher
from timbrebench.datasets.youtube.dataset import YouTube
from timbrebench.datasets.youtube.options import Options

RATE = 22050


def silent(what: str, share: float) -> None:
    pass


def listed(folder: Path, *rows: tuple[str, str, str]) -> Path:
    path = folder / "list.csv"
    lines = [",".join(f'"{cell}"' for cell in row) for row in rows]
    path.write_text("\n".join(["instrument,title,url", *lines]))
    return path


def dataset(folder: Path, csv: Path, **options: Any) -> YouTube:
    given = {"allow_private": True, **options}
    return YouTube(Options(csv=str(csv), **given), folder / "root")


def job(folder: Path, url: str, **changes: Any) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    return {
        "url": url,
        "folder": str(folder),
        "kept": str(folder / "kept"),
        "networks": ["127.0.0.1/32"],
        "use_proxy": False,
        "memory": 3 << 30,
        "max_bytes": 64 << 20,
        "max_seconds": 7200.0,
        "seconds": 1800.0,
        "trim_db": 20.0,
        "rate": RATE,
        **changes,
    }


def fetch(work: dict[str, Any], **popen: Any) -> dict[str, Any]:
    """The answer of a fetcher's process."""
    process = start(work)
    process.wait(120)
    return read_json(Path(work["folder"]) / "answer.json")


def start(work: dict[str, Any]) -> "subprocess.Popen[bytes]":
    folder = Path(work["folder"])
    write_json(folder / "job.json", work)
    files = [str(folder / name) for name in ("job.json", "answer.json")]
    package = Path(fetcher.__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": str(package)}
    return subprocess.Popen([sys.executable, "-m", fetcher.__name__, *files], env=environment)
