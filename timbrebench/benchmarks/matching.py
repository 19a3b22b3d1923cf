"""Which file of one folder belongs to which of another: the one with the same name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from timbrebench.core.errors import BenchError

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")
Files = Mapping[str, Path]  # by name: path in the folder without suffix
Pairs = Mapping[str, tuple[Path, Path]]  # name → (reference, estimate)


@dataclass(frozen=True)
class Sides:
    """The files to be scored, and what each kind of metric holds them against."""

    pairs: Pairs  # of pair metrics
    pairs_are: str  # what their references are: reference | source
    references: Files  # of set metrics
    estimates: Files
    held_out: Files = field(default_factory=dict)  # real, and not among the references
    sources: Files = field(default_factory=dict)  # what the estimates were made from
    unmatched: Mapping[str, list[str]] = field(default_factory=dict)  # side → names


def sides(
    reference: Path | None, estimate: Path, against: Path | None, source: Path | None
) -> Sides:
    """``reference`` has each estimate's counterpart, ``source`` what it was made from; ``against``
    holds the references of set distances where they are not the counterparts."""
    counterparts = reference or source
    if counterparts is None and against is None:
        raise BenchError(
            "there is nothing to compare the estimates with.",
            hint="Give --reference (counterparts by name), --against (any music) or --source.",
        )
    pairs, unmatched = match(counterparts, estimate) if counterparts else ({}, {})
    sources, without = match(source, estimate) if source and reference else (pairs, {})
    names = {"reference": "reference" if reference else "source", "estimate": "estimate"}
    return Sides(
        pairs=pairs,
        pairs_are="reference" if reference else "source",
        references=_files(against) if against else _side(pairs, 0) if reference else {},
        estimates=_files(estimate) if against else _side(pairs, 1),
        held_out=_side(pairs, 0) if against and reference else {},
        sources=_side(sources, 0) if source else {},
        unmatched={names[side]: n for side, n in unmatched.items()}
        | ({"source": without["reference"]} if without else {}),
    )


def _files(path: Path) -> Files:
    """A folder's files, or the one file."""
    if path.is_file():
        _check_readable(path)
        return {path.stem: path}
    return _audio_files(path)


def _side(pairs: Pairs, side: int) -> Files:
    return {name: files[side] for name, files in pairs.items()}


def match(reference: Path, estimate: Path) -> tuple[Pairs, dict[str, list[str]]]:
    """Files of equal names, and the names that only one side has."""
    if reference.is_file() and estimate.is_file():
        _check_readable(reference, estimate)
        return {reference.stem: (reference, estimate)}, {"reference": [], "estimate": []}
    ours, theirs = _audio_files(reference), _audio_files(estimate)
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        raise BenchError(
            f"no file in {estimate} has the name of one in {reference}.",
            hint=f"There: {_few(theirs)}; here: {_few(ours)}. Names are compared without suffix.",
        )
    unmatched = {
        "reference": sorted(ours.keys() - theirs.keys()),
        "estimate": sorted(theirs.keys() - ours.keys()),
    }
    return {name: (ours[name], theirs[name]) for name in common}, unmatched


def _audio_files(folder: Path) -> dict[str, Path]:
    """Name (path in the folder without suffix) → file."""
    if not folder.is_dir():
        what = "is a file where the other side is a folder" if folder.exists() else "is not there"
        raise BenchError(f"{folder} {what}.", hint="Give folders of audio, or single files.")
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in files:
            raise BenchError(f"{folder} has two files called {name}: keep one of them.")
        files[name] = path
    if not files:
        raise BenchError(f"{folder} holds no audio.", hint=f"Looked for {', '.join(SUFFIXES)}.")
    return files


def _check_readable(*files: Path) -> None:
    """A bad single input is an error, where one in a folder is a failed item."""
    from timbrebench.core import audio

    for file in files:
        audio.load(file, 16000)


def _few(names: Mapping[str, Path]) -> str:
    shown = ", ".join(sorted(names)[:3])
    return shown + (f", … ({len(names)})" if len(names) > 3 else "")
