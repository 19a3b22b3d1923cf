"""A cell of a run folder, to be used on other sound: what it can do, and its method made ready."""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timbrebench.benchmarks import forms
from timbrebench.benchmarks.forms import misfit, read, read_or_none
from timbrebench.benchmarks.playing import Player
from timbrebench.benchmarks.session import Session
from timbrebench.benchmarks.store import Store, stage_done
from timbrebench.core import files
from timbrebench.core.errors import BenchError, UnknownName, one_line
from timbrebench.core.interfaces import Stage, Trained
from timbrebench.core.records import Corpus, Task
from timbrebench.core.registry import values_of


def open_cell(root: Path, key: str) -> "FinishedCell":
    """The cell, with every model that it needs there and whole; else an error in words."""
    store = Store(root)
    record = read_or_none(store.cell(key) / "cell.json")
    if not record:
        raise BenchError(f"{store.cell(key)} is no cell of a run.", hint=f"See: bench show {root}")
    if (place := misfit(record, forms.USED_CELL)) is not None:
        named = f": it has no {place.lstrip('.')} of the right form" if place else ""
        raise BenchError(
            f"{store.cell(key)} is damaged, or of another version of timbrebench{named}.",
            hint=_again(root),
        )
    result = read(store.cell(key) / "result.json", forms.RESULT) or {"status": "pending"}
    wanted = record.get("stages", [])
    lacking = [s for s in wanted if not stage_done(store, s)]
    if result["status"] != "ok" and (lacking or not wanted):
        why = f" ({result['reason']})" if result.get("reason") else ""
        raise BenchError(
            f"the cell {record['label']} in {root} is not finished: {result['status']}{why}.",
            hint=_again(root),
        )
    if lacking:
        model = store.model(lacking[0])
        raise BenchError(f"{_wrong_with(model)}.", hint=_anew(root, model))
    return FinishedCell(store, key, record)


def _wrong_with(model: Path) -> str:
    """Why a model cannot be used."""
    known, weights = model / "stage.json", model / "model.safetensors"
    for path in (known, weights):
        if not path.is_file():
            return f"{path} is missing"
    return f"{weights if read_or_none(known) else known} is damaged"


def _again(root: Path) -> str:
    return f"Repeat the run that made it, which does only what is lacking: bench run … --out {root}"


def _anew(root: Path, model: Path) -> str:
    """A run trusts weights that nobody has touched since it read them: what has rotted must go."""
    return f"Remove {model} and repeat the run that made it: bench run … --out {root}"


@dataclass(frozen=True)
class FinishedCell:
    """A cell whose models are all there. ``record`` is cell.json."""

    store: Store
    key: str
    record: Mapping[str, Any]

    @property
    def label(self) -> str:
        return self.record["label"]

    @functools.cached_property
    def session(self) -> Session:
        return Session(self.record)

    # ------------------------------------------------------------------ what it can do

    @property
    def transfers(self) -> list[Task]:
        """The transfers that its method itself does."""
        tasks = [d for t in self.session.tasks for d in t.direct if d.kind == "transfer"]
        return list(dict.fromkeys(tasks))

    @property
    def instruments(self) -> list[str]:
        """What it can generate: of its tasks, the instruments to generate, or else all."""
        tasks = self.session.tasks
        named = [t.a for t in tasks if t.kind == "generate"] or [e for t in tasks for e in t.ends]
        return sorted(set(named)) if self.does("generate") else []

    @property
    def pairs(self) -> list[Task]:
        return [t for t in self.session.tasks if t.kind == "pair"]

    def does(self, kind: str) -> bool:
        return kind in self.session.entry.info.kinds

    def transfer_to(self, target: str | None, source: str | None = None) -> Task:
        """The transfer with that target, and source; they may be left out where they are clear."""
        self._expect("transfer", self.transfers)
        known = [t.target for t in self.transfers]
        target = _chosen("target", "--to", target, known, self.label)
        found = [t for t in self.transfers if t.target == target]
        source = _chosen("source", "--from", source, [t.source for t in found], self.label)
        return next(t for t in found if t.source == source)

    def any_transfer_to(self, target: str) -> Task:
        """The first transfer with that target, whatever its source."""
        self._expect("transfer", self.transfers)
        known = [t.target for t in self.transfers]
        target = _chosen("target", "--with", target, known, self.label)
        return next(t for t in self.transfers if t.target == target)

    def instrument(self, name: str | None) -> str:
        """The instrument to generate."""
        self._expect("generate", self.instruments)
        return _chosen("instrument", "--instrument", name, self.instruments, self.label)

    def pair(self, name: str | None) -> Task:
        """The pair called 'a/b', or 'b/a', to generate."""
        self._expect("pair", self.pairs)
        known = {
            f"{a}/{b}": Task("pair", a, b) for t in self.pairs for a, b in (t.ends, t.ends[::-1])
        }
        if name is None and len(self.pairs) == 1:
            return self.pairs[0]
        return known[_chosen("pair", "--pair", name, list(known), self.label)]

    def _expect(self, kind: str, found: Sequence[Any]) -> None:
        if not found:
            kinds = " and ".join(self.session.entry.info.kinds)
            told = "was run on no such task" if self.does(kind) else f"does {kinds} tasks only"
            raise BenchError(f"the cell {self.label} cannot {_VERBS[kind]}: it {told}.")

    # ------------------------------------------------------------------ making it ready

    def player(self, task: Task, given: Mapping[str, str] | None = None) -> Player:
        """Its method, ready for a task, with sampling options as ``given`` (texts)."""
        values = self._sampling_options(given or {})
        known = {**self.record["options"], **values}
        open_ones = [n for n in self._candidates if known.get(n) is None]
        chosen, notes = self._chosen_for(task, open_ones if task.kind == "transfer" else [])
        device, note = _available(self.session.device)
        session = Session({**self.record, "options": known | chosen, "device": device})
        with self._fitting():
            without = _open_corpus(session)
            session.stages  # noqa: B018 (a method may learn from it what its cell is)
            trained = self._trained(session)
        return Player(session, trained, self.label, without, [*notes, *note, *self._outgrown])

    @property
    def _outgrown(self) -> list[str]:
        """Words on a method whose code has changed since it was trained."""
        if self.record.get("code", self.session.entry.code) == self.session.entry.code:
            return []
        name = self.session.entry.name
        told = f"the code of {name} has changed since {self.label} was trained"
        return [f"{told}: if it fails, or sounds wrong, train it again"]

    def _sampling_options(self, given: Mapping[str, str]) -> dict[str, Any]:
        owner = self.session.entry.name
        specs = {s.name: s for s in self.session.entry.options}
        for name in given:
            if name not in specs:
                sampling = [s.name for s in specs.values() if s.affects == "sampling"]
                raise UnknownName(
                    f"sampling option of {owner}:", name, sampling, hint=f"See: bench info {owner}"
                )
            if specs[name].affects == "training":
                raise BenchError(
                    f"{owner}.{name} decides what is trained: a finished cell cannot change it.",
                    hint=f"Train another: bench run --methods {owner} -o {owner}.{name}=VALUE",
                )
        return {name: specs[name].parse(text, owner) for name, text in given.items()}

    @property
    def _candidates(self) -> Mapping[str, tuple[Any, ...]]:
        with self._fitting():
            return self.session.method.candidates(self.session.entry.info.chosen)

    def _chosen_for(self, task: Task, names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
        """Values of options that the benchmark chooses, and words on where they come from."""
        outcome = read(self.store.cell(self.key) / "outcome.json", forms.OUTCOME) or {}
        known = outcome.get("chosen", {}).get(task.name, {}).get("values", {})
        candidates = self._candidates
        values = {n: known.get(n, candidates[n][len(candidates[n]) // 2]) for n in names}
        notes = [
            f"{name}={value}, "
            + (
                f"as chosen on validation tracks for {task.name}"
                if name in known
                else "the middle of its candidates: the cell holds no choice"
            )
            for name, value in values.items()
        ]
        return values, notes

    def _trained(self, session: Session) -> dict[str, Trained]:
        keys = {}
        for key in self.record.get("stages", []):
            record = files.read_json(self.store.model(key) / "stage.json")
            keys[_stage_of(session, record).name] = key
        return session.trained(keys, self.store.root / "models")

    def check(self, stages: Mapping[str, Any], weights: Mapping[str, Mapping[str, Any]]) -> None:
        """BenchError where records and weights of its stages, by key, are not such as its method
        has here. Reads and writes nothing."""
        session = Session({**self.record, "device": "cpu"})
        values_of(session.entry, self.record["options"])
        with self._fitting():
            _open_corpus(session)
            for key, record in stages.items():
                _stage_of(session, record).build().load_state_dict(weights[key])

    @contextlib.contextmanager
    def _fitting(self) -> Iterator[None]:
        """Whatever a plugin raises because its code is no longer that of the cell, in words."""
        try:
            yield
        except BenchError:
            raise
        except Exception as error:
            raise BenchError(
                f"the cell {self.label} does not fit the code of {self.session.entry.name} as it "
                f"is now ({one_line(error).rstrip(':')}).",
                hint=f"Train it again: bench run … --out {self.store.root}",
            ) from error


def _stage_of(session: Session, record: Mapping[str, Any]) -> Stage:
    """The stage of a record; ValueError where the method has it otherwise now."""
    named = [stage for stage in session.stages if stage.name == record["name"]]
    if not named or files.digest(named[0].config) != files.digest(record["config"]):
        raise ValueError(f"stage {record['name']} is configured otherwise now")
    return named[0]


_VERBS = {
    "transfer": "convert sound",
    "generate": "generate an instrument",
    "pair": "generate pairs",
}


def _chosen(what: str, option: str, name: str | None, known: Sequence[str], label: str) -> str:
    """The name, checked; the only one where none is given."""
    names = sorted(set(known))
    if name is None and len(names) == 1:
        return names[0]
    if name is None:
        raise BenchError(
            f"the cell {label} has more than one {what}: {', '.join(names)}.",
            hint=f"Say which: {option} {names[0]}",
        )
    if name not in names:
        raise UnknownName(f"{what} of the cell {label}:", name, names)
    return name


def _available(device: str) -> tuple[str, list[str]]:
    """The device that the cell was trained on, or the CPU and words where it is not here."""
    import torch

    number = int(device.partition(":")[2] or 0)
    if device.startswith("cuda") and number >= torch.cuda.device_count():
        return "cpu", [f"there is no {device} here: the CPU is used"]
    return device, []


def _open_corpus(session: Session) -> str:
    """Why the corpus that the cell was trained on cannot be read; the session then has an empty
    one, which is all that many methods need."""
    try:
        session.corpus  # noqa: B018 (it is read on first use)
    except BenchError as error:
        name = session.cell["dataset"]
        session.corpus = Corpus(name, (), {}, "")
        return error.what
    return ""
