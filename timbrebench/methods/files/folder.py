"""The estimates in a folder: which there are, and which file is of a task and a track."""

from collections.abc import Mapping
from pathlib import Path

from timbrebench.core.audio import SUFFIXES
from timbrebench.core.errors import BenchError, MissingData, nearest
from timbrebench.core.records import Task

FORM = "It takes DIR/SOURCE-TARGET/TRACK.wav (or .flac, .mp3, .ogg)."


def index(dir: str) -> dict[str, Path]:
    """Audio files by their path within the folder, without suffix. MissingData if none is."""
    folder = Path(dir).expanduser()
    if not dir or not folder.is_dir():
        raise MissingData(f"files: '{dir}' is no folder.", hint=FORM)
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise BenchError(
                f"files: {found[name]} and {path.name} are both estimates of one item.",
                hint="Keep one of them.",
            )
        found[name] = path
    if not found:
        raise MissingData(f"files: there is no audio in {folder}.", hint=FORM)
    return found


def estimate_of(files: Mapping[str, Path], task: Task, track: str, only_task: bool) -> Path:
    """The file of a track. ``only_task``: files outside task folders can be meant, too."""
    wanted = names_of(task, track, only_task)
    for name in wanted:
        if name in files:
            return files[name]
    near = nearest(wanted[0], files)
    told = f"; like it there is {' and '.join(near)}" if near else ""
    raise MissingData(
        f"files: no estimate of track '{track}' for {task.name}.",
        hint=f"Looked for {wanted[0]}.wav (or .flac, .mp3, .ogg){told}.",
    )


def names_of(task: Task, track: str, only_task: bool) -> list[str]:
    """Names, best first, under which an estimate may lie. A '/' in a track may be a '_'."""
    folders = [task.folder, f"{task.a}_to_{task.b}", task.name, f"{task.a}_{task.b}"]
    tracks = dict.fromkeys([track, track.replace("/", "_")])
    names = [f"{folder}/{name}" for name in tracks for folder in dict.fromkeys(folders)]
    return names + list(tracks) if only_task else names
