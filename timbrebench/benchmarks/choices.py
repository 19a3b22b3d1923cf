"""Names on a command line → plugins with all their options. Light."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timbrebench.benchmarks.config import RunConfig, split_list
from timbrebench.core import files
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.interfaces import MethodInfo, MetricInfo
from timbrebench.core.manifest import Entry
from timbrebench.core.records import Task
from timbrebench.core.registry import OURS, Registry, values_of
from timbrebench.core.weights import KNOWN


@dataclass(frozen=True)
class Choice:
    """A plugin with all its options."""

    name: str  # as the registry finds it, 'palette' or 'palette@distribution'
    label: str  # as reports show it
    values: Mapping[str, Any]
    code: str
    ours: bool = True
    inputs: tuple[Any, ...] = ()  # what decides its results beside: files, an embedding

    @property
    def identity(self) -> list[Any]:
        return [self.name, dict(self.values), self.code, list(self.inputs)]


NO_VOCODER = Choice("", "", {}, "")  # of a method that makes audio itself


def choose(
    registry: Registry, kind: str, text: str, config: RunConfig, extra: Mapping[str, Any] = {}
) -> tuple[Entry, Choice]:
    """'palette', 'palette[steps=5;eta=1]' or 'files:DIR' → the plugin and its options."""
    name, given = parse_choice(text)
    head, colon, argument = name.partition(":")
    entry = registry.find(kind, head)
    if colon:
        if not entry.info.argument:
            raise BenchError(f"{kind} '{head}' takes nothing behind a colon.")
        given = {entry.info.argument: argument} | given
    all_given = {**config.options.get(entry.name, {}), **given, **extra}
    values = values_of(entry, all_given, config.preset)
    needed = entry.info.argument
    if needed and not values[needed]:
        raise BenchError(f"{kind} '{head}' needs its {needed}.", hint=f"Write {head}:PATH")
    label = text if not extra else f"{head}[{'; '.join(map(str, extra.values()))}]"
    inputs = (*_argument_inputs(entry, values), *_embedding_inputs(registry, entry, config))
    return entry, Choice(head, label, values, entry.code, entry.distribution == OURS, inputs)


def parse_choice(text: str) -> tuple[str, dict[str, Any]]:
    """'palette[steps=5;eta=1]' → ('palette', {'steps': '5', 'eta': '1'})."""
    name, bracket, rest = text.partition("[")
    if not bracket:
        return text, {}
    if not rest.endswith("]"):
        raise BenchError(f"'{text}' lacks its closing bracket.")
    given = {}
    for word in filter(None, rest[:-1].split(";")):
        key, equals, value = word.partition("=")
        if not equals:
            raise BenchError(f"'{text}': write [option=value;option=value].")
        given[key.strip()] = value.strip()
    return name, given


def _argument_inputs(entry: Entry, values: Mapping[str, Any]) -> list[str]:
    """Hash of the names and contents of the folder or file that a plugin's argument names."""
    named = values.get(entry.info.argument) if entry.info.argument else None
    if not named:
        return []
    root = Path(str(named)).expanduser()
    if not root.exists():
        raise BenchError(f"{entry.name}: there is no file or folder {root}.")
    found = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
    return [files.digest([[str(p.relative_to(root)), files.sha256_of(p)] for p in found])]


def _embedding_inputs(registry: Registry, entry: Entry, config: RunConfig) -> list[Any]:
    """An embedding's options, and whether its weights are there: once they are, its scores,
    which were 'missing', are made."""
    name = getattr(entry.info, "embedding", "")
    if not name:
        return []
    embedding = registry.find("embedding", name)
    values = values_of(embedding, config.options.get(name, {}))
    known = KNOWN.get(name)
    return [name, values, embedding.info.weights_sha256, bool(known and known.path.is_file())]


def check_owners(config: RunConfig, registry: Registry) -> None:
    """Every ``-o NAME.…`` names a plugin."""
    known = {e.name for e in registry.entries}
    for owner in config.options:
        if owner not in known:
            raise UnknownName("plugin in -o:", owner, known, hint="See: bench list")


def choose_metrics(
    registry: Registry, config: RunConfig, tasks: Sequence[Task] = ()
) -> list[Choice]:
    """The named metrics; 'jaccard' stands for all whose name begins with it.

    Without a name, those that say so themselves and apply to one of the tasks.
    """
    every = registry.of("metric")
    if not config.metrics:
        names = [e.name for e in every if e.info.default and does_any(e.info, tasks)]
    else:
        names = []
        for word in config.metrics:
            family = [e.name for e in every if e.name.startswith(f"{word}_")]
            exact = [e.name for e in every if e.name == word.partition("[")[0].partition("@")[0]]
            names += [word] if exact or not family else family
    return [choose(registry, "metric", n, config)[1] for n in dict.fromkeys(names)]


def does_any(info: MethodInfo | MetricInfo, tasks: Sequence[Task]) -> bool:
    """Whether a method or a metric is for one of the tasks (if there are any)."""
    return not tasks or any(task.kind in info.kinds for task in tasks)


def named_methods(registry: Registry, config: RunConfig) -> list[MethodInfo]:
    """The infos of the methods that the config names."""
    return [choose(registry, "method", word, config)[0].info for word in config.methods]


def choose_methods(
    registry: Registry, config: RunConfig, tasks: Sequence[Task] = ()
) -> list[tuple[Entry, Choice]]:
    """The methods, and the controls that do one of the tasks; the oracle once for each mel that
    the others' estimates are made in."""
    words = list(dict.fromkeys((*config.methods, *_controls(registry, config, tasks))))
    others = [choose(registry, "method", w, config) for w in words if w != "oracle"]
    chosen = list(others)
    if "oracle" in words:
        mels = sorted({mel_of(e, c.values) for e, c in others if not e.info.control} - {""})
        oracle = registry.find("method", "oracle")
        mels = mels or [mel_of(oracle, values_of(oracle, config.options.get("oracle", {})))]
        chosen += [choose(registry, "method", "oracle", config, {"mel": m}) for m in mels]
    return chosen


def _controls(registry: Registry, config: RunConfig, tasks: Sequence[Task]) -> list[str]:
    """The controls that need no training: no table is without them unless the user says so."""
    if not config.controls:
        return []
    named = {parse_choice(word)[0].partition("@")[0] for word in config.methods}
    controls = [e for e in registry.of("method") if e.info.control and not e.info.trains]
    ours = [e for e in controls if e.distribution == OURS and e.name not in named]
    ours = [e for e in ours if does_any(e.info, tasks)]
    return [f"{e.name}@{OURS}" if _claimed(registry, e) else e.name for e in ours]


def _claimed(registry: Registry, entry: Entry) -> bool:
    """Whether another package has a plugin of the same name: nobody asked for a control, so that
    must be no error."""
    return sum(e.name == entry.name for e in registry.of(entry.kind)) > 1


def mel_of(entry: Entry, values: Mapping[str, Any]) -> str:
    """The mel preset that a method's estimates are made in; '' if it makes audio."""
    return str(values.get("mel", entry.info.mel))


def parse_words(texts: Sequence[str]) -> tuple[str, ...]:
    """Repeated options, each a comma list → words."""
    return tuple(w for text in texts for w in split_list(text))
