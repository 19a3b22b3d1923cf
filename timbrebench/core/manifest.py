"""What a distribution's plugins say of themselves, as plain data.

Run as a program (``python -m timbrebench.core.manifest DISTRIBUTION``) it reads one stranger's
entry points in a process of its own and prints the manifest: whatever a stranger's import does,
the command line only ever reads the answer.
"""

import contextlib
import dataclasses
import functools
import importlib.metadata
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pluggy

from timbrebench.core import files, hookspecs, interfaces
from timbrebench.core.options import NoOptions, OptionSpec, describe

KINDS: dict[str, Any] = {
    "method": interfaces.MethodInfo,
    "dataset": interfaces.DatasetInfo,
    "metric": interfaces.MetricInfo,
    "embedding": interfaces.EmbeddingInfo,
    "vocoder": interfaces.VocoderInfo,
}

CORE = ""  # stands for core's own part in what a method's weights and estimates are:
DECISIVE = (
    *("altering", "audio", "augment", "features", "learner", "mel", "overlap", "seeds"),
    *("training", "vocoders"),
)


Hashed = Callable[[str], str]  # a module, or CORE → hash of its sources
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A registered plugin: its info, options and code as data, and who brought it."""

    kind: str
    info: Any  # one of KINDS' infos
    options: tuple[OptionSpec, ...]
    options_class: str  # 'package.module:Class'
    distribution: str
    version: str
    code: str  # hash of its sources

    @property
    def name(self) -> str:
        return self.info.name


def read_entry_points(entry_points: Iterable[importlib.metadata.EntryPoint]) -> list[Entry]:
    """Imports the entry points' modules and asks their hooks. Raises what they raise."""
    hashed = functools.cache(_hash_of_folder)  # most plugins of a package share folders
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    entries = []
    for entry_point in entry_points:
        assert entry_point.dist is not None
        # Asked once: each answer is parsed anew from the distribution's metadata.
        owner = {"distribution": entry_point.dist.name, "version": entry_point.dist.version}
        plugin = entry_point.load()
        manager.register(plugin, name=f"{owner['distribution']}:{entry_point.name}")
        manager.check_pending()  # a hook that we do not have is a typing mistake
        for kind, info_class in KINDS.items():
            caller = manager.subset_hook_caller(
                f"timbrebench_{kind}s", [p for p in manager.get_plugins() if p is not plugin]
            )
            infos: list[Any] = [info for answer in caller() for info in answer]
            for info in infos:
                entries.append(_entry(kind, info, info_class, owner, hashed))
    return entries


def _entry(
    kind: str, info: Any, info_class: Any, owner: Mapping[str, str], hashed: Hashed
) -> Entry:
    if not isinstance(info, info_class):
        raise TypeError(f"timbrebench_{kind}s must give {info_class.__name__}, not {info!r}")
    if not _NAME.fullmatch(info.name):
        raise ValueError(f"{info.name!r} is no name of a {kind}: letters, digits, '_', '-' and '.'")
    options = info.options
    return Entry(
        kind=kind,
        info=info,
        options=describe(options),
        options_class=f"{options.__module__}:{options.__qualname__}",
        code=code_of(info, hashed),
        **owner,
    )


def code_of(info: interfaces.Info, hashed: Hashed | None = None) -> str:
    """Hash of the sources that decide a plugin's results; needs no import of heavy modules."""
    return code_of_modules([info.factory.split(":")[0], *info.shares], hashed)


def code_of_modules(modules: Iterable[str], hashed: Hashed | None = None) -> str:
    """Hash of the modules' folders and of core's decisive files. ``hashed`` may remember."""
    hashed = hashed or _hash_of_folder
    return files.digest([hashed(CORE), *sorted({hashed(module) for module in modules})])


def _hash_of_folder(module: str) -> str:
    if module == CORE:
        return files.digest_of_files(Path(__file__).with_name(f"{m}.py") for m in DECISIVE)
    return files.digest_of_files(sources(module))


def sources(module: str) -> list[Path]:
    """The files of the folder that a module is in; of a top-level module the file alone."""
    parent = module.rpartition(".")[0]
    spec = importlib.util.find_spec(parent or module)
    if spec is None or spec.origin is None:
        return []
    path = Path(spec.origin)
    if not parent:
        return sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    if (own := path.parent / module.rpartition(".")[2]).is_dir():
        return sorted(own.rglob("*.py"))
    return sorted(path.parent.glob("*.py"))


def to_json(entry: Entry) -> dict[str, Any]:
    info = {
        field.name: getattr(entry.info, field.name)
        for field in dataclasses.fields(entry.info)
        if field.name != "options"
    }
    data = dataclasses.asdict(dataclasses.replace(entry, info=None))
    if "measures" in info:
        info["measures"] = [dataclasses.asdict(m) for m in info["measures"]]
    if "search" in info:
        spans = {k: v for k, v in info["search"].items() if isinstance(v, interfaces.Span)}
        info["search"] = info["search"] | {k: dataclasses.asdict(v) for k, v in spans.items()}
    return data | {"info": info}


def from_json(data: Mapping[str, Any]) -> Entry:
    values: dict[str, Any] = _tuples(data["info"])
    if "measures" in values:
        values["measures"] = tuple(interfaces.Measure(**dict(m)) for m in values["measures"])
    if "chosen" in values:
        values["chosen"] = _tuples(values["chosen"])
    if "search" in values:
        spans = {k: v for k, v in values["search"].items() if isinstance(v, Mapping)}
        read = {k: interfaces.Span(**v) for k, v in spans.items()}
        values["search"] = _tuples(values["search"]) | read
    info = KINDS[data["kind"]](options=NoOptions, **values)
    options = tuple(OptionSpec(**_tuples(spec)) for spec in data["options"])
    return Entry(**{**data, "info": info, "options": options})


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no tuples: its lists become them again."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def main(distribution: str) -> int:
    found = importlib.metadata.distribution(distribution)
    points = [p for p in found.entry_points if p.group == hookspecs.GROUP]
    with contextlib.redirect_stdout(sys.stderr):  # what a stranger prints is not our answer
        entries = read_entry_points(points)
    print(json.dumps([to_json(e) for e in entries]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
