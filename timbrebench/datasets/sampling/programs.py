"""General MIDI's instruments by name and number. Light until a name is asked for."""

import re
from collections.abc import Mapping

from timbrebench.core.errors import BenchError, UnknownName

SHORT = {  # the names that our other corpora use
    "piano": 0,
    "vibraphone": 11,
    "acoustic_guitar": 24,
    "violin": 40,
    "harp": 46,
    "strings": 48,
    "clarinet": 71,
    "flute": 73,
}


def programs(text: str, owner: str) -> Mapping[str, int]:
    """'piano/harp/56' → instrument → program (from 0), in that order."""
    words = [word.strip() for word in text.split("/") if word.strip()]
    found = dict(_program(word, owner) for word in words)
    if len(found) < len(words):
        raise BenchError(f"{owner} names an instrument twice: {text}.")
    return found


def _program(word: str, owner: str) -> tuple[str, int]:
    if word in SHORT:
        return word, SHORT[word]
    names = _general_midi()
    if word.isdecimal() and int(word) < len(names):
        return names[int(word)], int(word)
    if word in names:
        return word, names.index(word)
    hint = f"{owner} takes these, or programs 0 to {len(names) - 1}, separated by '/'."
    raise UnknownName("instrument", word, [*SHORT, *names], hint=hint)


def _general_midi() -> list[str]:
    """The 128 names, as instruments are called in tasks: 'acoustic_grand_piano', …"""
    from pretty_midi.constants import INSTRUMENT_MAP

    return [re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in INSTRUMENT_MAP]
