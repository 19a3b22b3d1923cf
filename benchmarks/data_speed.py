"""How fast training data is made and read, beside what others use: docs/results/data-speed.md.

    python benchmarks/data_speed.py                # up to 20 hours of audio; about half an hour
    python benchmarks/data_speed.py --hours 0.1    # a look whether it works

Everything is measured in one run on one machine, on music-like noise, each corpus in a cache of its
own. Files are read once before they are timed, on both sides alike. Nothing is downloaded, and the
user's cache is not touched. The largest corpus takes 5 GB of the temporary folder.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import soundfile as sf

from timbrebench.core.features import crop, log_mels
from timbrebench.core.mel import MelSpec, preset
from timbrebench.core.records import Corpus, Track
from timbrebench.core.units import bytes_text

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "docs" / "results" / "data-speed.md"
FILE_SECONDS = 60.0
COMPARED = 1.0  # hours that librosa goes through too
SHARES = (1 / 20, 1 / 4, 1)  # of the largest corpus
ROUNDS = 5
CROPS, DECODED = 20_000, 200
# In a process of its own, so that its memory is that of the work.
BUILD = """
import json, sys, time
from pathlib import Path
from timbrebench.core.features import log_mels
from timbrebench.core.fingerprint import seal
from timbrebench.core.mel import preset
from timbrebench.core.memory import peak_rss, reset_peak
from timbrebench.core.records import Corpus, Track

files = sorted(Path(sys.argv[1]).iterdir())[: int(sys.argv[2])]
tracks = tuple(Track(p.stem, {"a": p}) for p in files)
corpus = Corpus("noise", tracks, {}, "")
log_mels(corpus, tracks[:1], "a", preset("audio_diffusion"))  # what is loaded once
reset_peak()
before, started = peak_rss(), time.perf_counter()
seal(tracks)
opened = time.perf_counter()
found = log_mels(corpus, tracks, "a", preset(sys.argv[3]))
ended = time.perf_counter()
size = sum(mel.nbytes for mel in found.values())
told = {"opening": opened - started, "seconds": ended - opened}
print(json.dumps({**told, "memory": peak_rss() - before, "size": size}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hours", type=float, default=20.0, help="of the largest corpus")
    parser.add_argument("--result", type=Path, default=RESULT, help="page to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = page(Path(folder), given.hours)
    given.result.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def page(folder: Path, hours: float) -> list[str]:
    compared = min(hours, COMPARED)
    return [
        "# How fast data is made and read",
        "",
        "Written by `python benchmarks/data_speed.py`: everything in one run on one machine.",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}.",
        "",
        f"From {60 * compared:g} minutes of files to log-mels, in hours a minute. librosa:",
        "`load`, then `feature.melspectrogram` and a logarithm, file by file, nothing written;",
        f"here: from an open corpus into the cache. Best of {ROUNDS} rounds each, in turn.",
        "Opening hashes each file, once for every log-mel: the last column counts that too.",
        "",
        *table(
            ["files", "log-mel", "librosa", "here", "ratio", "with opening"],
            making_rows(folder, compared),
        ),
        "",
        "Crops of 128 frames a second, at random places. Decoding reads only the part of a file",
        "that a crop needs.",
        "",
        *table(["log-mel", "decoding", "from the cache", "ratio"], crop_rows(folder, compared)),
        "",
        "Corpora of growing size into the cache, 16 kHz, `soundstream`: what an hour costs, with",
        "opening, and how much memory the work took beside what Python and its libraries have.",
        "",
        *table(
            ["hours", "seconds", "seconds an hour", "log-mels", "memory"],
            growing_rows(folder, hours),
        ),
    ]


def table(head: list[str], rows: Iterator[list[str]]) -> list[str]:
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, ruler, *rows)]


# ---------------------------------------------------------------------------- making


def making_rows(folder: Path, hours: float) -> Iterator[list[str]]:
    for told, rate, channels in (("16 kHz, mono", 16000, 1), ("44.1 kHz, stereo", 44100, 2)):
        files = write_noise(folder / f"{rate}", hours, rate, channels)
        for name in ("soundstream", "ldm"):
            their_log_mel(files[0], preset(name))  # what is loaded once
            both = [(theirs_of(files, name), build(folder, files, name)) for _ in range(ROUNDS)]
            theirs = min(seconds for seconds, _ in both)
            ours = min(found["seconds"] for _, found in both)
            opened = min(found["opening"] + found["seconds"] for _, found in both)
            speeds = [f"{60 * hours / seconds:.1f}" for seconds in (theirs, ours)]
            ratios = [f"{theirs / seconds:.1f}" for seconds in (ours, opened)]
            yield [told, f"`{name}`", *speeds, *ratios]


def theirs_of(files: list[Path], name: str) -> float:
    """Seconds that librosa takes."""
    started = time.perf_counter()
    for file in files:
        their_log_mel(file, preset(name))
    return time.perf_counter() - started


def their_log_mel(file: Path, spec: MelSpec, start: float = 0.0, seconds: float | None = None):
    samples, _ = librosa.load(file, sr=spec.rate, offset=start, duration=seconds)
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=spec.rate,
        n_fft=spec.n_fft,
        hop_length=spec.hop,
        win_length=spec.win,
        n_mels=spec.n_mels,
        fmin=spec.fmin,
        fmax=spec.fmax,
        power=spec.power,
        htk=spec.htk,
    )
    return np.log(np.maximum(mel, spec.floor))


def build(folder: Path, files: list[Path], name: str) -> dict[str, float]:
    """Into an empty cache, by all cores."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        environment = {**os.environ, "TIMBREBENCH_CACHE": cache, "TIMBREBENCH_FEATURES": "1TiB"}
        command = [sys.executable, "-c", BUILD, str(files[0].parent), str(len(files)), name]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def write_noise(folder: Path, hours: float, rate: int, channels: int = 1) -> list[Path]:
    """Files of a minute: chords of partials in noise, each its own."""
    folder.mkdir(parents=True, exist_ok=True)
    count = max(1, round(hours * 3600 / FILE_SECONDS))
    time_axis = np.arange(round(FILE_SECONDS * rate)) / rate
    files = []
    for number in range(count):
        rng = np.random.default_rng(number)
        samples = 0.02 * rng.standard_normal((len(time_axis), channels), np.float32)
        for hz in rng.uniform(80, 2000, 4):
            samples += 0.1 * np.sin(2 * np.pi * hz * time_axis)[:, None]
        files.append(folder / f"{number:05d}.wav")
        sf.write(files[-1], samples, rate, subtype="PCM_16")
    return files


# ---------------------------------------------------------------------------- crops


def crop_rows(folder: Path, hours: float) -> Iterator[list[str]]:
    files = sorted((folder / "16000").iterdir())
    tracks = tuple(Track(p.stem, {"a": p}) for p in files)
    corpus = Corpus("noise", tracks, {}, "")
    os.environ["TIMBREBENCH_CACHE"] = str(folder / "crops")
    for name in ("soundstream", "ldm"):
        spec, rng = preset(name), np.random.default_rng(0)
        mels = list(log_mels(corpus, tracks, "a", spec).values())
        started = time.perf_counter()
        for _ in range(CROPS):
            mel = mels[rng.integers(len(mels))]
            crop(mel, rng.integers(mel.shape[1] - spec.frames), spec.frames)
        cached = CROPS / (time.perf_counter() - started)
        seconds = (spec.frames - 1) * spec.hop / spec.rate
        started = time.perf_counter()
        for _ in range(DECODED):
            file, start = files[rng.integers(len(files))], rng.uniform(0, FILE_SECONDS - seconds)
            their_log_mel(file, spec, start, seconds)
        decoded = DECODED / (time.perf_counter() - started)
        yield [f"`{name}`", f"{decoded:,.0f}", f"{cached:,.0f}", f"{cached / decoded:,.0f}"]


# ---------------------------------------------------------------------------- growing corpora


def growing_rows(folder: Path, hours: float) -> Iterator[list[str]]:
    files = write_noise(folder / "growing", hours, 16000)
    for share in SHARES:
        some = files[: max(1, round(share * len(files)))]
        length = len(some) * FILE_SECONDS / 3600
        found = build(folder, some, "soundstream")
        seconds = found["opening"] + found["seconds"]
        yield [
            f"{length:.3g}",
            f"{seconds:.1f}",
            f"{seconds / length:.2f}",
            bytes_text(found["size"]),
            bytes_text(found["memory"]),
        ]


if __name__ == "__main__":
    main()
