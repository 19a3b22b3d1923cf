"""Which file of one folder belongs to which of another: the one with the same name."""

from collections.abc import Mapping
from pathlib import Path

from timbrebench.core.errors import BenchError

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")
Pairs = Mapping[str, tuple[Path, Path]]  # name → (reference, estimate)


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
        raise BenchError(f"{folder} {what}.", hint="Give two folders of audio, or two files.")
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
