"""What a file of ``bench export`` says, checked: nothing that comes from outside is believed.

Its fields become names of files and folders, arguments of plugins and words on a terminal.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from timbrebench.benchmarks import forms
from timbrebench.benchmarks.forms import Fields, misfit
from timbrebench.core.errors import BenchError, shown

SCHEMA = "1"
_KEY = re.compile(r"[0-9a-f]{16}")
_DEVICE = re.compile(r"cpu|cuda(:\d{1,3})?")
_STAGE = Fields({**forms.STAGE.needed, "config": dict, "state": dict}, forms.STAGE.may)
_KNOWN = Fields(
    {
        "key": str,
        "cell": forms.USED_CELL,
        "stages": {str: _STAGE},
        "outcome": forms.OUTCOME,
        "contents": str,
    }
)


def read_export(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what stands in its header, its tensors); BenchError where anything is wrong with them."""
    header, tensors = _opened(path)
    if header.get("schema") != SCHEMA:
        raise BenchError(f"{path} holds no cell of timbrebench.", hint="See: bench export --help")
    try:
        known = json.loads(header.get("timbrebench", ""))
    except (ValueError, RecursionError):
        known = None
    wrong = _wrong(known) if isinstance(known, dict) else "its header is no JSON"
    if wrong:
        raise BenchError(f"{path} is not as bench export writes it: {wrong}.")
    if contents_of(tensors) != known["contents"]:
        raise BenchError(f"{path} is damaged: its tensors are not those that were exported.")
    known["cell"]["dataset_choice"]["root"] = ""  # whatever it says: no path from outside
    return known, tensors


def _opened(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise BenchError(f"there is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return file.metadata() or {}, tensors
    except (SafetensorError, ValueError) as error:
        raise BenchError(
            f"{path} is no safetensors file, or is cut short: {shown(str(error))}."
        ) from None


def _wrong(known: Mapping[str, Any]) -> str:
    """What is wrong with a header; '' if nothing is. Keys become names of folders."""
    if (place := misfit(known, _KNOWN)) is not None:
        return f"it has no {shown(place.lstrip('.'))} of the right form"
    if text := next((text for text in _texts(known) if not _is_plain(text)), ""):
        return f"it has control characters in '{shown(text)}'"
    cell = known["cell"]
    keys = [known["key"], *cell["stages"], *filter(None, [cell.get("references")])]
    for key in keys:
        if not _KEY.fullmatch(key):
            return f"'{shown(key)}' is no key"
    if not _DEVICE.fullmatch(cell["device"]):
        return f"'{shown(cell['device'])}' is no device"
    if sorted(cell["stages"]) != sorted(known["stages"]):
        return "its stages are not those of its cell"
    return ""


def _texts(value: Any) -> Iterator[str]:
    """All strings in a value, names of fields too."""
    waiting: list[Any] = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str):
            yield each


def _is_plain(text: str) -> bool:
    """Whether nothing in it moves a cursor or hides. Blanks of other scripts are plain."""
    return all(c.isprintable() or unicodedata.category(c) == "Zs" for c in text)


def contents_of(tensors: Mapping[str, Any]) -> str:
    """Hash of names, shapes, types and numbers."""
    import torch

    found = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        found.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        found.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
