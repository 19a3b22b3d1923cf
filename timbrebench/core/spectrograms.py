"""Log-mels as greyscale pictures, and pairs of them, as the LDM report has its data.

Source       Prioteasa & Stempel-Hauburger 2025
Audio        mono, 22 050 Hz, silence trimmed at 20 dB from both ends, at most 1800 s a recording,
             in chunks of 3 s, the last one filled with zeros
Picture      librosa's log-mel of 128 bands (preset 'ldm'), 80 dB below its own maximum to 0..255;
             a row a band, the lowest first; STEM_chunkN.png in a folder an instrument
Pairs        15 000 rows of two pictures of different instruments, RandomState(42)
"""

# Shapes: n samples, M mel bands, T frames of a chunk.

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from timbrebench.core.errors import BenchError
from timbrebench.core.mel import RANGE_DB, log_mel, preset
from timbrebench.core.vocoder_options import GriffinLimOptions

if TYPE_CHECKING:
    import torch

Values = TypeVar("Values", "np.ndarray", "torch.Tensor")
Chunk = tuple[np.ndarray, float | None]  # grey values [M, T] uint8, and what 255 stands for in dB

SPEC = preset("ldm")
TRIM_DB, CHUNK_SECONDS, MOST_SECONDS = 20.0, 3, 1800
PAIRS, PAIR_SEED = 15_000, 42
PAIR_FIELDS = ("label1", "idx1", "label2", "idx2")
PEAK = "peak_db"  # text in the PNG that tells what 255 stands for; the report's have none
MOST_FRAMES = 4096  # of a picture that is read
_PEAK_OF_AUDIO = 0.5  # where no picture says how loud it was


# ---------------------------------------------------------------------------- log-mel ↔ grey


def grey(log_mel: Values, peak: "Values | float", span: float = RANGE_DB) -> Values:
    """Log-mel → 0..255 in whole numbers: ``peak`` and what is above it is 255, ``span`` (in the
    log-mel's own unit) below it 0."""
    return ((1 + (log_mel - peak) / span).clip(0, 1) * 255).round()


def of_grey(values: Values, peak: "Values | float", span: float = RANGE_DB) -> Values:
    """What :func:`grey` was given, to half a step."""
    return (values / 255 - 1) * span + peak


# ---------------------------------------------------------------------------- audio → pictures


def chunks_of(samples: np.ndarray) -> Iterator[Chunk]:
    """The pictures [128, 130] of a recording [n] at 22 050 Hz."""
    import librosa

    trimmed = librosa.effects.trim(samples, top_db=TRIM_DB)[0][: MOST_SECONDS * SPEC.rate]
    size = CHUNK_SECONDS * SPEC.rate
    for start in range(0, len(trimmed), size):
        part = trimmed[start : start + size]
        values = log_mel(np.pad(part, (0, size - len(part))), SPEC).numpy()
        peak = float(values.max())
        yield grey(values, peak).astype(np.uint8), peak


def write_png(path: Path, chunk: Chunk) -> None:
    from PIL import Image, PngImagePlugin

    values, peak = chunk
    told = PngImagePlugin.PngInfo()
    if peak is not None:
        told.add_text(PEAK, f"{peak:.4f}")
    Image.fromarray(values).save(path, pnginfo=told)


def pairs_of(counts: Mapping[str, int]) -> list[tuple[str, int, str, int]]:
    """15 000 rows (label1, index1, label2, index2), labels always different, the same each time."""
    if len(counts) < 2:
        raise BenchError(
            f"pairs are of different instruments, but there is only {[*counts]}.",
            hint="Add another instrument.",
        )
    labels, state = sorted(counts), np.random.RandomState(PAIR_SEED)
    rows = []
    for _ in range(PAIRS):
        a, b = (labels[i] for i in state.choice(len(labels), 2, replace=False))
        rows.append((a, int(state.randint(counts[a])), b, int(state.randint(counts[b]))))
    return rows


# ---------------------------------------------------------------------------- pictures → audio


def read_png(path: Path) -> Chunk:
    """BenchError where it is no greyscale picture of 128 bands. Nothing is decoded of one that
    claims to be larger."""
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as picture:
            width, height = picture.size
            if picture.mode != "L" or height != SPEC.n_mels or not 1 < width <= MOST_FRAMES:
                told = f"{width}×{height}, {picture.mode}"
                raise BenchError(f"{path.name} is no grey picture of 128 bands, but {told}.")
            values = np.asarray(picture)
            return values, _number(picture.info.get(PEAK))
    # PIL's errors of broken files, and of those that claim to be a thousand times larger.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BenchError(f"{path.name} cannot be read as PNG ({error}).") from None


def _number(text: object) -> float | None:
    try:
        number = float(str(text))
    except ValueError:
        return None
    return number if -200 < number < 200 else None


def audio_of(chunks: Sequence[Chunk]) -> np.ndarray:
    """Samples [n] at 22 050 Hz: each picture by Griffin-Lim, one after the other. Where none says
    how loud it was, each has its maximum at 0 dB, and all together a peak of 0.5."""
    from timbrebench.core.vocoders import GriffinLim

    vocoder = GriffinLim(GriffinLimOptions())
    parts = []
    for values, peak in chunks:
        log = of_grey(values.astype(np.float32), peak or 0.0)
        parts.append(vocoder.synthesise(log, SPEC, _samples_of(values.shape[1])))
    samples = np.concatenate(parts)
    if any(peak is not None for _, peak in chunks):
        return samples
    return (samples * (_PEAK_OF_AUDIO / max(float(np.abs(samples).max()), 1e-9))).astype(np.float32)


def _samples_of(frames: int) -> int:
    """130 frames are a chunk; of another number nothing is known but that hops are whole."""
    chunk = CHUNK_SECONDS * SPEC.rate
    return chunk if frames == SPEC.frames_of(chunk) else (frames - 1) * SPEC.hop
