"""What is heard of a recording, kept as mono FLAC; and the beginning of it, cut."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import soundfile

from timbrebench.core.audio import unusable
from timbrebench.core.errors import BadAudio
from timbrebench.core.files import atomic_path
from timbrebench.datasets.youtube.decoding import mono_blocks

HOP, FRAME = 512, 2048  # samples: of librosa's trim, whose definition this is
_BLOCK = 1 << 16  # samples


def heard(blocks: Iterator[np.ndarray], top_db: float) -> tuple[int, int, float]:
    """(first sample, one past the last, peak) of what is within ``top_db`` of the loudest frame.

    A frame has 2048 samples, one begins every 512, the first is centred on the first sample. 0 dB
    keeps all. (0, 0, 0.0) of silence.
    """
    hops, rest, length, peak = [np.zeros(2)], np.zeros(0, np.float32), 0, 0.0
    for block in blocks:
        length += len(block)
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        rest = np.concatenate([rest, block])
        whole = len(rest) // HOP * HOP
        hops.append(_energies(rest[:whole]))
        rest = rest[whole:]
    hops += [_energies(np.pad(rest, (0, HOP - len(rest)))), np.zeros(2)]
    energies = np.concatenate(hops)  # [hops + padding]
    count = length // HOP + 1
    frames = np.sum([energies[i : i + count] for i in range(FRAME // HOP)], axis=0)
    if not length or frames.max() <= 0:
        return 0, 0, 0.0
    if top_db == 0:
        return 0, length, peak
    loud = np.flatnonzero(frames > frames.max() * 10 ** (-top_db / 10))
    return int(loud[0]) * HOP, min(length, (int(loud[-1]) + 1) * HOP), peak


def _energies(samples: np.ndarray) -> np.ndarray:
    return np.square(samples, dtype=np.float64).reshape(-1, HOP).sum(axis=1)


def keep(
    source: Path, target: Path, rate: int, top_db: float, longest: tuple[float, float]
) -> float:
    """Writes what is heard as mono 16-bit FLAC and returns its seconds.

    ``longest``: seconds of the source that are accepted, and that are kept.
    """
    if (reason := unusable(source)).startswith("it is truncated"):
        raise BadAudio(source.name, reason)  # other containers are judged when they are decoded
    start, stop, peak = heard(mono_blocks(source, rate, longest[0]), top_db)
    stop = min(stop, start + round(longest[1] * rate))
    if stop <= start:
        raise BadAudio(source.name, "it is silent")
    gain = 1.0 / peak if peak > 1 else 1.0
    with (
        atomic_path(target) as temporary,
        soundfile.SoundFile(temporary, "w", rate, 1, "PCM_16", format="FLAC") as out,
    ):
        at = 0
        for block in mono_blocks(source, rate, longest[0]):
            out.write(gain * block[max(0, start - at) : max(0, stop - at)])
            at += len(block)
            if at >= stop:
                break
    return (stop - start) / rate


def cut(source: Path, target: Path, seconds: float) -> None:
    """The beginning of a kept file as FLAC or MP3 (by suffix)."""
    with soundfile.SoundFile(source) as file, atomic_path(target) as temporary:
        left = round(seconds * file.samplerate)
        blocks = _first(file, left)
        if target.suffix == ".mp3":
            _encode_mp3(temporary, blocks, file.samplerate)
        else:
            with soundfile.SoundFile(
                temporary, "w", file.samplerate, 1, "PCM_16", format="FLAC"
            ) as out:
                for block in blocks:
                    out.write(block)


def _first(file: soundfile.SoundFile, left: int) -> Iterator[np.ndarray]:
    while left > 0 and len(block := file.read(min(left, _BLOCK), dtype="int16")):
        left -= len(block)
        yield block


def _encode_mp3(path: Path, blocks: Iterator[np.ndarray], rate: int) -> None:
    """192 kbit/s; 160 where the rate is under 32 kHz, the most that MPEG-2 has."""
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout="mono")
        stream.bit_rate = 192_000 if rate >= 32_000 else 160_000
        for block in blocks:
            frame = av.AudioFrame.from_ndarray(block[None, :], format="s16", layout="mono")
            frame.sample_rate = rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
