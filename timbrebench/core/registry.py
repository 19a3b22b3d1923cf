"""Every plugin by kind and name, guarded: none can slow or break the command line.

Our own plugins come through the same hooks and entry-point group as a stranger's. A stranger's
manifest is read in a process of its own, with a deadline, and kept by distribution version.
"""

import contextlib
import functools
import importlib
import importlib.metadata
import json
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from timbrebench.core import files, manifest
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.hookspecs import GROUP
from timbrebench.core.interfaces import Measure
from timbrebench.core.manifest import Entry
from timbrebench.core.options import build, resolve

OURS = "timbrebench"
DEADLINE = 10.0  # seconds that a stranger's import may take
_WATCHED = (".py", ".txt", ".pth", "")  # suffixes of sources, entry_points.txt, RECORD


@dataclass(frozen=True)
class Broken:
    """A distribution whose plugins cannot be used, and why."""

    distribution: str
    version: str
    reason: str


@dataclass(frozen=True)
class Registry:
    """What is registered. ``find`` is the way in."""

    entries: tuple[Entry, ...]
    broken: tuple[Broken, ...] = ()

    def of(self, kind: str) -> list[Entry]:
        return sorted((e for e in self.entries if e.kind == kind), key=lambda e: e.name)

    def find(self, kind: str, name: str) -> Entry:
        """The plugin called ``name``, or ``name@distribution`` where two claim the name."""
        wanted, _, distribution = name.partition("@")
        found = [
            e for e in self.of(kind) if e.name == wanted and distribution in ("", e.distribution)
        ]
        if not found:
            raise UnknownName(kind, name, [e.name for e in self.of(kind)], hint=self._broken_hint())
        if len(found) > 1:
            raise BenchError(
                f"{kind} '{wanted}' is claimed by {_listed(e.distribution for e in found)}.",
                hint=f"Write {wanted}@{found[0].distribution}, or uninstall one.",
            )
        return found[0]

    def clashes(self) -> list[tuple[str, str, list[str]]]:
        """(kind, name, distributions) of every name that is claimed more than once."""
        claims: dict[tuple[str, str], list[str]] = {}
        for e in self.entries:
            claims.setdefault((e.kind, e.name), []).append(e.distribution)
        return [(*claim, owners) for claim, owners in claims.items() if len(owners) > 1]

    def _broken_hint(self) -> str:
        if not self.broken:
            return ""
        return f"Broken plugins: {_listed(b.distribution for b in self.broken)} (bench plugins)."


def _listed(names: Any) -> str:
    return " and ".join(sorted(set(names)))


# ------------------------------------------------------------------ finding plugins


@functools.lru_cache(maxsize=1)
def registry() -> Registry:
    """The registry of this environment; read once a process."""
    ours, strangers = [], {}
    for point in importlib.metadata.entry_points(group=GROUP):
        assert point.dist is not None
        if point.dist.name == OURS:
            ours.append(point)
        else:
            strangers[point.dist.name] = point.dist
    entries = manifest.read_entry_points(ours)
    answers = _together(list(strangers.values())) if strangers else []
    broken = [a for a in answers if isinstance(a, Broken)]
    entries += [e for a in answers if not isinstance(a, Broken) for e in a]
    return Registry(tuple(_with_embeddings(entries)), tuple(broken))


def _together(strangers: list[importlib.metadata.Distribution]) -> list[list[Entry] | Broken]:
    """All at once: several that hang cost one deadline."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(strangers)) as pool:
        return list(pool.map(_stranger, strangers))


def _stranger(dist: importlib.metadata.Distribution) -> list[Entry] | Broken:
    kept = _cache_path(dist)
    try:
        data = files.read_json(kept)
    except (OSError, ValueError):
        data = _read_apart(dist)
        _keep(kept, data)
    if isinstance(data, str):
        return Broken(dist.name, dist.version, data)
    return [manifest.from_json(entry) for entry in data]


def _read_apart(dist: importlib.metadata.Distribution) -> list[dict[str, Any]] | str:
    """The manifest as a subprocess gives it, or the reason that there is none."""
    command = [sys.executable, "-P", "-m", "timbrebench.core.manifest", dist.name]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return f"its import did not end within {DEADLINE:g} s (again: bench plugins --refresh)"
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"its import ended with code {done.returncode}"
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return "its manifest cannot be read"


def _cache_path(dist: importlib.metadata.Distribution) -> Path:
    """By version and by the times of its files: a reinstalled or edited plugin is read anew, and
    all are when anything is installed, since that may be what a broken one lacked."""
    installed = [Path(str(dist.locate_file(f))) for f in dist.files or () if f.suffix in _WATCHED]
    watched = sorted({Path(sysconfig.get_path("purelib")), *installed, *_sources(dist)})
    ours = [Path(__file__).with_name(f"{n}.py") for n in ("interfaces", "manifest", "options")]
    stamps = [f"{path} {_stamp(path)}" for path in [*watched, *ours]]
    key = files.digest([sys.prefix, dist.name, dist.version, *stamps])
    return files.cache_root() / "manifests" / f"{dist.name}-{key}.json"


def _sources(dist: importlib.metadata.Distribution) -> list[Path]:
    """The packages of its entry points; an editable installation's file list lacks them."""
    packages = {p.module.partition(".")[0] for p in dist.entry_points if p.group == GROUP}
    found = []
    for package in packages:
        with contextlib.suppress(ImportError, ValueError):
            found += manifest.sources(package)
    return found


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return "absent"
    return f"{status.st_mtime_ns}-{status.st_size}"


def _keep(path: Path, data: Any) -> None:
    try:
        files.write_json(path, data)
    except OSError:
        return  # a cache that cannot be written costs time, nothing else


def forget_manifests() -> None:
    """Empties the cache, so that every stranger's manifest is read anew."""
    for path in (files.cache_root() / "manifests").glob("*.json"):
        path.unlink()
    registry.cache_clear()


def _with_embeddings(entries: list[Entry]) -> list[Entry]:
    """A set metric with embedding '*' stands for one metric an embedding: fad → fad_logmel."""
    embeddings = [e.info for e in entries if e.kind == "embedding"]
    made = []
    for entry in entries:
        if entry.kind != "metric" or entry.info.embedding != "*":
            made.append(entry)
            continue
        for embedding in embeddings:
            made.append(replace(entry, info=_for_embedding(entry.info, embedding)))
    return made


def _for_embedding(info: Any, embedding: Any) -> Any:
    measures = tuple(
        Measure(f"{m.name}_{embedding.name}", m.unit, m.higher_is_better) for m in info.measures
    )
    return replace(
        info,
        name=f"{info.name}_{embedding.name}",
        summary=f"{info.summary} ({embedding.name}: {embedding.summary})",
        measures=measures,
        embedding=embedding.name,
        rate=embedding.rate,
        default=info.default and embedding.default,
    )


# ------------------------------------------------------------------ using plugins


def values_of(entry: Entry, given: Mapping[str, Any], preset: str | None = None) -> dict[str, Any]:
    """All of a plugin's options: defaults, preset, what was given."""
    return resolve(entry.name, entry.options, entry.info.presets, given, preset)


def load(path: str) -> Any:
    """The object that 'package.module:Name' names. Heavy: only a worker calls it."""
    module, _, name = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def create(entry: Entry, values: Mapping[str, Any], *arguments: Any) -> Any:
    """An instance of the plugin's class with its options. Heavy: only a worker calls it."""
    options = build(load(entry.options_class), values)
    return load(entry.info.factory)(options, *arguments)
