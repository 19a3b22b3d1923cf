"""Recordings that are there as pictures only (core.spectrograms): their audio is made once, and
lies in the cache by what the pictures hold. Light."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from timbrebench.core.errors import BenchError
from timbrebench.core.files import cache_root, digest, digest_of_files, read_json, write_json
from timbrebench.core.interfaces import Progress

_NAME = re.compile(r"(.+)_chunk(\d+)\.png", re.IGNORECASE)
_CODE = ("mel", "spectrograms", "vocoders")
Pictures = Mapping[str, Sequence[Path]]  # name of the recording → its pictures in their order


def recordings_of(paths: Iterable[Path]) -> tuple[dict[str, list[Path]], dict[str, str]]:
    """(recordings by name, those of which a picture is missing and which). STEM_chunkN.png count
    from 0; any other PNG is a recording of its own."""
    found: dict[str, dict[int, Path]] = defaultdict(dict)
    for path in paths:
        part = _NAME.fullmatch(path.name)
        name, number = (part[1], int(part[2])) if part else (path.stem, 0)
        found[name][number] = path
    whole, broken = {}, {}
    for name, parts in found.items():
        missing = next(number for number in range(len(parts) + 1) if number not in parts)
        if missing < len(parts):
            broken[name] = f"its picture {name}_chunk{missing}.png is missing"
        else:
            whole[name] = [parts[number] for number in range(len(parts))]
    return whole, broken


def audio_files(recordings: Mapping[str, Sequence[Path]]) -> dict[str, Path]:
    """Where the audio of each recording is, or will be once it is made."""
    from timbrebench.core.fingerprint import content_hashes

    if not recordings:
        return {}
    hashes = content_hashes(path for pictures in recordings.values() for path in pictures)
    code = digest_of_files(Path(__file__).with_name(f"{name}.py") for name in _CODE)
    folder = cache_root() / "pictures"
    return {
        name: folder / f"{digest([code, *(hashes[path] for path in pictures)], 16)}.flac"
        for name, pictures in recordings.items()
    }


def why_not(file: Path) -> str:
    """Why the pictures of an audio file cannot be read; '' where they can, or were not tried."""
    try:
        return str(read_json(file.with_suffix(".json"))["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def unmade(files: Iterable[Path]) -> list[Path]:
    """Audio files that are still to be made."""
    return [file for file in files if not file.exists() and not why_not(file)]


def make_audio(recordings: Pictures, progress: Progress) -> None:
    """Makes what is not there yet, several at once. What cannot be read is remembered with its
    reason."""
    from timbrebench.core.side_by_side import side_by_side

    files = audio_files(recordings)
    lacking = {file: recordings[name] for name, file in files.items() if unmade([file])}
    made = side_by_side(lambda file: _make(lacking[file], file), lacking)
    for done, _ in enumerate(made, 1):
        progress("audio of spectrograms", done / len(lacking))


def _make(pictures: Sequence[Path], file: Path) -> None:
    """The audio of one recording, or why there is none."""
    from timbrebench.core import audio
    from timbrebench.core.spectrograms import SPEC, audio_of, read_png

    try:
        samples = audio_of([read_png(path) for path in pictures])
    except BenchError as error:
        write_json(file.with_suffix(".json"), {"reason": str(error)})
    else:
        audio.write(file, samples, SPEC.rate)
