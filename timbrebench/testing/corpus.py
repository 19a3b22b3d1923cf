"""A tiny paired corpus, made in a moment, for tests: three synthetic instruments play the same
tunes."""

from collections.abc import Mapping
from itertools import combinations, permutations
from pathlib import Path
from typing import TYPE_CHECKING

from timbrebench.core.files import digest_of_files
from timbrebench.core.records import SPLITS, Corpus, Task, Track
from timbrebench.core.seeds import generator

if TYPE_CHECKING:
    import numpy as np

RATE = 16000  # Hz
# (first partial, step between partials, loss in dB a partial, attack, time constant of decay in
# seconds): a sustained reed of odd partials, a sustained bow of all, and a bell that dies away.
INSTRUMENTS = {
    "reed": (1, 2, 3.0, 0.02, 60.0),
    "bow": (1, 1, 1.5, 0.15, 60.0),
    "bell": (1, 3, 9.0, 0.003, 0.25),
}
SCALE = (57, 60, 62, 64, 67, 69, 72, 74)  # MIDI pitches, pentatonic
DEFAULT_SPLIT = {"train": 3, "valid": 1, "test": 2}


def tiny_corpus(
    folder: Path, *, split: Mapping[str, int] = DEFAULT_SPLIT, seconds: float = 4.0
) -> Corpus:
    """Writes 16 kHz WAV files to ``folder`` and returns their corpus.

    ``split`` says how many tracks each split has. The tracks are called tune0, tune1, …; the
    instruments reed, bow and bell. Task groups: 'single' (every transfer), 'generate' and 'pair'
    (every two). The same arguments give the same audio.
    """
    names = [part for part in SPLITS for _ in range(split.get(part, 0))]
    tracks = tuple(_write(folder, f"tune{i}", name, seconds) for i, name in enumerate(names))
    files = [path for track in tracks for path in track.stems.values()]
    groups = {
        "single": tuple(Task("transfer", a, b) for a, b in permutations(INSTRUMENTS, 2)),
        "generate": tuple(Task("generate", a) for a in INSTRUMENTS),
        "pair": tuple(Task("pair", a, b) for a, b in combinations(INSTRUMENTS, 2)),
    }
    fingerprint = f"{digest_of_files(files)}-{'-'.join(names)}"
    return Corpus("tiny", tracks, groups, fingerprint, RATE)


def _write(folder: Path, id: str, split: str, seconds: float) -> Track:
    import soundfile

    notes = _tune(id, seconds)
    stems = {name: folder / name / f"{id}.wav" for name in INSTRUMENTS}
    for name, path in stems.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, _play(notes, name, seconds), RATE, subtype="PCM_16")
    return Track(id, stems, split, seconds)


def _tune(id: str, seconds: float) -> list[tuple[float, float, float]]:
    """Notes (onset in seconds, duration in seconds, Hz), one after the other with short rests."""
    rng = generator("tiny corpus", id)
    notes, onset = [], 0.05
    while onset < seconds - 0.3:
        duration = float(rng.choice([0.2, 0.4, 0.6]))
        notes.append((onset, duration, 440 * 2 ** ((int(rng.choice(SCALE)) - 69) / 12)))
        onset += duration + 0.05
    return notes


def _play(notes: list[tuple[float, float, float]], instrument: str, seconds: float) -> "np.ndarray":
    """[samples] float32, peak 0.5."""
    import numpy as np

    audio = np.zeros(round(seconds * RATE))
    for onset, duration, pitch_hz in notes:
        start = round(onset * RATE)
        tone = _tone(instrument, duration, pitch_hz)[: len(audio) - start]
        audio[start : start + len(tone)] += tone
    return (0.5 * audio / np.abs(audio).max()).astype(np.float32)


def _tone(instrument: str, duration: float, pitch_hz: float) -> "np.ndarray":
    """One note of ``duration`` seconds, released within its last 20 ms."""
    import numpy as np

    first, step, loss_db, attack, decay = INSTRUMENTS[instrument]
    time = np.arange(round(duration * RATE)) / RATE
    partials = np.arange(first, min(24, int(7600 / pitch_hz)) + 1, step)
    levels = 10 ** (-loss_db * np.arange(len(partials)) / 20)
    tone = levels @ np.sin(2 * np.pi * pitch_hz * np.outer(partials, time))
    envelope = np.minimum(1, time / attack) * np.exp(-time / decay)
    return tone * envelope * np.minimum(1, (duration - time) / 0.02)
