"""Where and on what a run was made."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timbrebench import __version__
from timbrebench.core.records import Corpus

PACKAGES = ("torch", "numpy", "scipy", "librosa", "essentia", "frechet-audio-distance", "pandas")


def describe() -> dict[str, Any]:
    """Versions, machine and code state. Imports none of what it names."""
    return {
        "timbrebench": __version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": _memory(),
        "gpu": _gpus(),
        "git": _git(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def describe_corpus(corpus: Corpus) -> dict[str, Any]:
    """The data card of a report."""
    return {
        "name": corpus.name,
        "fingerprint": corpus.fingerprint,
        "tracks": dict(Counter(t.split for t in corpus.tracks)),
        "seconds": round(sum(t.seconds for t in corpus.tracks), 1),
        "instruments": list(corpus.instruments),
        "notes": _plain(corpus.notes),
    }


def _plain(value: Any) -> Any:
    """With escapes for what is no text: a file's name may be any bytes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_plain(name): _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    found = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(found, platform.processor())


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def _gpus() -> list[str]:
    """By the driver's own tool: importing torch for it would take a second."""
    return _said(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"])


def _git() -> str | None:
    """The commit of the sources, '+' for a changed tree; None where they are no checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    if not _said([*git, "ls-files", Path(__file__).name]):
        return None  # installed, maybe within a checkout of something else
    commit = _said([*git, "rev-parse", "--short=12", "HEAD"])
    changed = _said([*git, "status", "--porcelain", "--untracked-files=no"])
    return commit[0] + ("+" if changed else "") if commit else None


def _said(command: list[str]) -> list[str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
