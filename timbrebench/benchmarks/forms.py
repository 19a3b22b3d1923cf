"""The forms of a run folder's JSON files. What does not fit its form is damaged, or of another
version: it counts as not there, so that nothing that reads it meets a value of another kind.

A form is written like what it describes: a type; ``{"a", "b"}``, one of these words; ``[form]``, a
list; ``(form, form)``, a list of just these; ``{str: form}``, an object of any names; Fields, an
object of known names; Either.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timbrebench.core import files

Form = Any
ANY = object


class Nothing:
    """The type of no value: the form of what may not be there."""


@dataclass(frozen=True)
class Fields:
    """An object that has what is needed, and may have the others. Further names may be there."""

    needed: Mapping[str, Form]
    may: Mapping[str, Form] = field(default_factory=dict)
    further: Form = ANY


@dataclass(frozen=True)
class Either:
    """What is of one of two forms."""

    one: Form
    other: Form


def misfit(value: Any, form: Form) -> str | None:
    """Where a value first is not of a form, such as '.items[3].task' or, all of it, ''."""
    if isinstance(form, Fields):
        return _misfit_of_fields(value, form)
    if isinstance(form, dict):
        return _misfit_of_fields(value, Fields({}, {}, form[str]))
    if isinstance(form, list | tuple):
        return _misfit_of_list(value, form)
    if isinstance(form, Either):
        return misfit(value, form.one) and misfit(value, form.other)
    if isinstance(form, set):
        return None if isinstance(value, str) and value in form else ""
    return None if isinstance(value, form) else ""


def fits(value: Any, form: Form) -> bool:
    return misfit(value, form) is None


def _misfit_of_fields(value: Any, form: Fields) -> str | None:
    if not isinstance(value, dict):
        return ""
    for name in form.needed.keys() - value.keys():
        return f".{name}"
    for name, each in value.items():
        own = form.needed.get(name, form.may.get(name, form.further))
        if own is not ANY and (place := misfit(each, own)) is not None:
            return f".{name}{place}"
    return None


def _misfit_of_list(value: Any, form: list[Form] | tuple[Form, ...]) -> str | None:
    if not isinstance(value, list):
        return ""
    forms = form if isinstance(form, tuple) else form * len(value)
    if len(forms) != len(value):
        return ""
    for number, (each, own) in enumerate(zip(value, forms, strict=True)):
        if (place := misfit(each, own)) is not None:
            return f"[{number}]{place}"
    return None


# ---------------------------------------------------------------------------- reading


def read_or_none(path: Path) -> Any:
    """A JSON file's value; None where there is none or it is damaged."""
    try:
        return files.read_json(path)
    except (OSError, ValueError, RecursionError):
        return None


def read(path: Path, form: Form) -> Any:
    """A JSON file's value; None where there is none, or it is not of the form."""
    value = read_or_none(path)
    return value if fits(value, form) else None


# ---------------------------------------------------------------------------- the files

NUMBER = int | float
MAYBE = NUMBER | None

_SPLITS = {"tracks": {str: int}, "seconds": {str: NUMBER}}
_LEVELS = dict.fromkeys(("rms_db", "peak_db", "silent_share"), NUMBER)
_HEARD = Fields(
    {},
    {
        "stems": {str: Fields({**_SPLITS, **_LEVELS})},
        "unreadable": {str: str},
        "duplicates_across_splits": [str],
        "duplicates_within_a_split": [str],
        "failed": str,
    },
)
_CARD = Fields({}, {"name": str, "fingerprint": str, "heard": _HEARD})
_SUITE = Either(
    Fields({"name": str, "scale": str, "layout": dict, "parts": {str: [str]}}),
    Fields({}, {}, Nothing),  # of a run that is of none
)
_CONFIG = Fields({}, {"max_seconds": MAYBE, "score_on": str})
RUN = Fields(
    {"schema": int, "config": _CONFIG, "environment": dict, "cells": {str: str}},
    {"corpus": _CARD, "corpora": {str: _CARD}, "suite": _SUITE},
)

BUDGET = Fields({}, {"kind": str, "amount": NUMBER})
CELL = Fields(
    {
        "label": str,
        "method": str,
        "dataset": str,
        "tasks": [str],
        "seed": int,
        "references": str,
    },
    {
        "control": bool,
        "supervision": str,
        "options": dict,
        "budget": BUDGET,
        "augment": str,
        "stages": [str],
    },
)

_PLUGIN = {"name": str, "values": dict}
_PARTS: Form = [(str, str, str, [])]  # of a derived task
# What a cell's record must hold to be used.
USED_CELL = Fields(
    {
        "label": str,
        "method": str,
        "options": dict,
        "dataset": str,
        "dataset_choice": Fields({**_PLUGIN, "split": str}, {"root": str}),
        "task_records": [(str, str, str, Either([], _PARTS))],
        "seed": int,
        "budget": Fields({"kind": str, "amount": NUMBER}, {}, Nothing),
        "precision": {"fp32", "bf16"},
        "vocoder": Fields(_PLUGIN),
        "device": str,
        "stages": [str],
    },
    {
        **CELL.needed,
        **CELL.may,
        "code": str,
        "max_seconds": MAYBE,
        "score_on": str,
    },
)

_MEMORY = Fields({}, {"micro_batch": int | None, "lowered": int})
_CHOSEN = Fields({}, {"values": dict, "tried": [dict], "tracks": list, "rule": str})
_TIMED = Either(Fields({"failed": str}), Fields({"steps": int, "items": int}))
_SECONDS = ("train_seconds", "infer_seconds", "vocoder_seconds", "choosing_seconds")
OUTCOME = Fields(
    {},
    {
        **dict.fromkeys(_SECONDS, MAYBE),
        "chosen": {str: _CHOSEN},
        "parameters": {str: int},
        "phases": {str: _MEMORY},
        "timed": _TIMED,
        "vocoder": dict,
    },
)
RESULT = Fields(
    {"status": str},
    {
        "phase": str,
        "reason": str,
        "log_tail": str,
        "outcome": OUTCOME,
        "failed_items": int,
        "scores": [str],
        "metrics": [str],
        "files": {str: int},
    },
)

_TEXTS = ("task", "track", "source", "target", "file", "other_file", "reason")
_ITEM = Fields({"status": str}, dict.fromkeys(_TEXTS, str))
ESTIMATES = Fields({"items": [_ITEM]}, {"chosen": {str: _CHOSEN}, "choosing_seconds": NUMBER})
PARTIAL = Fields({"basis": str, "chosen": {str: _CHOSEN}, **ESTIMATES.needed}, ESTIMATES.may)

_BOUND = Fields({}, {"value": MAYBE})
_DETAILS = Fields(
    {},
    {
        "interval": (NUMBER, NUMBER),
        "items": [str],
        "skipped": {str: str},
        "without": {str: NUMBER},
        "least": NUMBER,
    },
)
_SAID = {"unit": str, "reason": str, "reference": str, "details": _DETAILS}
_ROW = {"metric": str, "task": str, "item": str}
_KINDS = {"n": MAYBE, "higher_is_better": bool | None, **_SAID}
_VALUE = {"status": {"ok"}, "value": NUMBER}
_NO_VALUE = {"status": {"failed", "missing", "not_applicable"}, "value": MAYBE}
SCORES = [Either(Fields({**_ROW, **_VALUE}, _KINDS), Fields({**_ROW, **_NO_VALUE}, _KINDS))]

STAGE = Fields(
    {"name": str, "steps": int, "seconds": NUMBER, "parameters": {str: int}},
    {
        "examples": int,
        "flops": MAYBE,
        "memory": _MEMORY,
        "recipe": Fields({}, {"batch_size": int}),
        "sha256": str,
    },
)
POINT = Fields({"step": NUMBER}, {}, MAYBE)  # a line of curve.jsonl
_COMPARED = {
    **dict.fromkeys(("dataset", "method", "rival", "task", "metric"), str),
    **dict.fromkeys(("value", "p", "p_holm", "n"), NUMBER),
    **dict.fromkeys(("low", "high"), MAYBE),
}
COMPARISONS = Fields({"basis": str, "rows": [Fields(_COMPARED)]})
VERIFIED = {str: [int]}
