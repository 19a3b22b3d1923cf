"""``bench doctor``."""

import importlib.metadata
import importlib.util
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import click

from timbrebench.cli.console import json_option, print_rows

NEEDED = ("torch", "librosa", "essentia", "soundfile", "scipy", "pandas", "matplotlib")
OPTIONAL = {
    "onnxruntime": "pip install 'timbrebench[soundstream]', for the SoundStream vocoder",
    "diffusers": "pip install 'timbrebench[published]', for the published network of cross",
    "ray": "pip install 'timbrebench[ray]', for runs on a cluster",
    "optuna": "pip install 'timbrebench[tune]', for bench tune",
}


@click.command("doctor")
@json_option
def command(as_json: bool) -> int:
    """Check that this installation can work: packages, plugins, cache, weights, GPU."""
    rows = [*_packages(), *_plugins(), _cache(), _features(), *_weights(), _gpu()]
    print_rows(rows, ("check", "state", "told"), as_json)
    return 1 if any(row["state"] == "wrong" for row in rows) else 0


def _row(check: str, state: str, told: Any) -> dict[str, Any]:
    return {"check": check, "state": state, "told": str(told)}


def _packages() -> Iterator[dict[str, Any]]:
    for name in (*NEEDED, *OPTIONAL):
        if importlib.util.find_spec(name):
            yield _row(name, "ok", importlib.metadata.version(name))
        elif name in OPTIONAL:
            yield _row(name, "absent", OPTIONAL[name])
        else:
            yield _row(name, "wrong", "not installed: pip install timbrebench")


def _plugins() -> Iterator[dict[str, Any]]:
    from timbrebench.core.registry import registry

    found = registry()
    yield _row("plugins", "ok", f"{len(found.entries)} registered")
    for broken in found.broken:
        yield _row(f"plugin {broken.distribution}", "wrong", broken.reason)
    for kind, name, owners in found.clashes():
        yield _row(f"{kind} {name}", "wrong", f"claimed by {' and '.join(owners)}")


def _cache() -> dict[str, Any]:
    from timbrebench.core.files import cache_root

    try:
        cache_root().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache_root()):
            pass
    except OSError as error:
        return _row("cache", "wrong", f"{cache_root()}: {error.strerror}; set TIMBREBENCH_CACHE")
    return _row("cache", "ok", cache_root())


def _features() -> dict[str, Any]:
    """Of the cache what grows with the data."""
    from timbrebench.core.errors import BenchError
    from timbrebench.core.feature_space import LIMIT, limit, used
    from timbrebench.core.features import features_root
    from timbrebench.core.units import bytes_text

    try:
        most = limit()
    except BenchError as error:
        return _row("log-mels", "wrong", error)
    size = bytes_text(used(features_root()))
    told = (
        f"{size} of at most {bytes_text(most)} ({LIMIT}) in {features_root()}, free to be removed"
    )
    return _row("log-mels", "ok", told)


def _weights() -> Iterator[dict[str, Any]]:
    from timbrebench.core.weights import KNOWN

    for weights in KNOWN.values():
        missing = weights.missing()
        yield _row(
            f"weights {weights.name}", "absent" if missing else "ok", missing or weights.path
        )


def _gpu() -> dict[str, Any]:
    from timbrebench.benchmarks.environment import describe

    gpus = describe()["gpu"]
    return _row("gpu", "ok" if gpus else "absent", ", ".join(gpus) or f"{os.cpu_count()} CPU cores")
