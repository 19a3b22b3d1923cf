"""Metrics brought to life: created with what they need, and asked without being trusted."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from timbrebench.core.errors import CannotMeasure, one_line
from timbrebench.core.interfaces import Embedding, EmbeddingInfo
from timbrebench.core.manifest import Entry
from timbrebench.core.memory import is_out_of_memory
from timbrebench.core.options import NoOptions
from timbrebench.core.records import Clip
from timbrebench.core.registry import create, registry, values_of

Answer = TypeVar("Answer")
Question = ParamSpec("Question")


@dataclass(frozen=True)
class Chosen:
    """A metric with its options, and with the embedding that it has, if it has one."""

    entry: Entry
    values: Mapping[str, Any]
    embedding: Entry | None = None
    embedding_values: Mapping[str, Any] = field(default_factory=dict)


def chosen_metric(choice: Mapping[str, Any]) -> Chosen:
    """The metric of a record (benchmarks.records): its embedding is the first input."""
    entry = registry().find("metric", choice["name"])
    if not entry.info.embedding:
        return Chosen(entry, choice["values"])
    name, values = choice["inputs"][:2]
    return Chosen(entry, choice["values"], registry().find("embedding", name), values)


def create_metric(chosen: Chosen) -> Any:
    """The metric, ready to measure. Heavy."""
    if chosen.embedding is None:
        return create(chosen.entry, chosen.values)
    return create(chosen.entry, chosen.values, embedding_of(chosen))


def create_comparing(chosen: Chosen) -> Any:
    """The metric of an embedding, ready for vectors that were made elsewhere. Light."""
    assert chosen.embedding is not None
    return create(chosen.entry, chosen.values, _Absent(chosen.embedding.info))


class _Absent(Embedding):
    """Stands for an embedding of which only the info is needed."""

    def __init__(self, info: EmbeddingInfo) -> None:
        super().__init__(NoOptions())
        self.info = info

    def embed(self, clip: Clip) -> Any:
        raise NotImplementedError


def with_defaults(name: str) -> Any:
    """A metric of ours with its defaults."""
    entry = registry().find("metric", name)
    embedding = entry.info.embedding
    found = registry().find("embedding", embedding) if embedding else None
    return create_metric(Chosen(entry, values_of(entry, {}), found))


_embeddings: dict[str, Any] = {}  # of this process: metrics share one, with what it remembers


def embedding_of(chosen: Chosen) -> Any:
    """The metric's embedding. Heavy."""
    assert chosen.embedding is not None
    key = repr((chosen.embedding.info.factory, sorted(chosen.embedding_values.items())))
    if key not in _embeddings:
        _embeddings[key] = create(chosen.embedding, chosen.embedding_values)
        _embeddings[key].info = chosen.embedding.info
    return _embeddings[key]


def missing(metric: Any) -> str:
    """What the metric lacks to measure anything, with the command that gets it; '' if nothing."""
    embedding = getattr(metric, "embedding", None)
    return embedding.missing() if embedding is not None else ""


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """The values as floats, if all are finite."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise CannotMeasure(f"{name} came out as {value}")
    return {name: float(value) for name, value in values.items()}


def ask(
    function: Callable[Question, Answer], *args: Question.args, **kwargs: Question.kwargs
) -> tuple[Answer | None, str]:
    """(answer, '') or (None, why there is none): a failure is a row, never the end.

    A lack of memory is raised: it is of the machine or of a limit, and a row would last.
    """
    try:
        return function(*args, **kwargs), ""
    except Exception as error:  # a plugin may raise anything
        if is_out_of_memory(error):
            raise
        return None, one_line(error)


def ask_in_passing(
    function: Callable[Question, Answer], *args: Question.args, **kwargs: Question.kwargs
) -> tuple[Answer | None, str]:
    """As :func:`ask`, for what is shown and not kept: there a lack of memory is a reason too."""
    try:
        return ask(function, *args, **kwargs)
    except Exception as error:
        return None, one_line(error)
