"""Audio files in and out: mono float32 at the rate asked for, and nothing trusted of a header.

A file is decoded in blocks, mixed to mono and resampled as it comes, so that memory follows the
seconds that it really holds and not what its header claims.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

from timbrebench.core.errors import BadAudio, BenchError
from timbrebench.core.files import atomic_path

MIN_SECONDS, MAX_SECONDS = 0.1, 2 * 3600
MIN_RATE, MAX_RATE = 4000, 384_000  # Hz
MAX_CHANNELS = 8
MAX_VALUE = 1000.0  # 60 dB over full scale: samples that were never scaled to -1..1
CEILING = 0.999  # peak that a written file is scaled down to, if it would clip
SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")

_BLOCK = 1 << 16  # frames
_STEP = np.float32(2**-15)  # of a sample of 16 bits; full scale is 1
_UNKNOWN_SIZE = 0xFFFFFFFF  # what a program writes as a WAV's size when it writes to a pipe
_SHORT = 0.95  # share of the stated length under which a file is truncated, not just imprecise
_LENGTH_TAG = re.compile(rb"(Xing|Info)\0\0\0")  # of an MP3
# In libsndfile's log of a RIFF or AIFF header: what a chunk claims, and what the file has.
_CUT_CHUNK = re.compile(r"^\s*(?:data|SSND)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)


def load(path: Path | str, rate: int, *, seconds: float | None = None) -> np.ndarray:
    """The file as mono float32 [n] at ``rate`` Hz; ``seconds`` keeps only its beginning."""
    wanted = None if seconds is None else round(seconds * rate)
    parts: list[np.ndarray] = []
    held = 0
    with _opened(path) as file:
        for part in _resampled(_mono_blocks(file, path), file.samplerate, rate):
            parts.append(part)
            held += len(part)
            if wanted is not None and held >= wanted:
                break
    return np.concatenate(parts)[:wanted]


def load_as_is(path: Path | str) -> tuple[np.ndarray, int]:
    """(mono float32 [n], its own rate in Hz) of a file that may be shorter than MIN_SECONDS."""
    with _opened(path, shortest=0.0) as file:
        return np.concatenate(list(_mono_blocks(file, path, shortest=0.0))), file.samplerate


def blocks(path: Path | str) -> tuple[int, Iterator[np.ndarray]]:
    """(its own rate in Hz, the file as finite mono blocks [n] float32, read as they are taken)."""
    file = _opened(path)

    def read() -> Iterator[np.ndarray]:
        with file:
            yield from _mono_blocks(file, path)

    return file.samplerate, read()


def probe(path: Path | str) -> tuple[float, int, int]:
    """(seconds, rate in Hz, channels) by the header; only the last frame is decoded."""
    with _opened(path) as file:
        if file.format != "MP3":  # whose length may be an estimate
            _check_end(file, path)
        return file.frames / file.samplerate, file.samplerate, file.channels


def unusable(path: Path) -> str:
    """Why a file cannot be used, by its header and last frame; '' if nothing is against it."""
    if not path.is_file():
        return "it is not there"
    try:
        probe(path)
    except BadAudio as error:
        return error.reason
    return ""


def write(path: Path | str, samples: np.ndarray, rate: int) -> float:
    """Writes mono [n] or [n, channels] samples as 16-bit FLAC or WAV (by suffix), atomically.

    Returns the gain that was applied: 1.0, or less where a peak over full scale had to be
    brought down to ``CEILING`` so that nothing clips.
    """
    path = Path(path)
    if path.suffix.lower() not in (".flac", ".wav"):
        raise BenchError(f"{path}: audio is written as .flac or .wav only.")
    if not np.isfinite(samples).all():
        raise BadAudio(path, "not written: it would hold NaN or infinite samples")
    peak = float(np.abs(samples).max(initial=0.0))
    gain = CEILING / peak if peak > 1 else 1.0
    with atomic_path(path) as temporary:
        try:
            sf.write(temporary, samples * gain, rate, subtype="PCM_16")
        except sf.SoundFileError as error:
            raise BenchError(f"{path}: cannot be written ({_cause(path, error)}).") from None
    return gain


def _cause(path: Path, error: Exception) -> str:
    """libsndfile calls a full disk a system error."""
    full = shutil.disk_usage(path.parent).free < _BLOCK
    return "No space left on device" if full else _plain(error)


def rms(samples: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def rms_db(samples: np.ndarray) -> float:
    """Level in dB relative to full scale, at least -120."""
    return 20 * float(np.log10(max(rms(samples), 1e-6)))


def match_rms(samples: np.ndarray, level: float) -> np.ndarray:
    """The samples scaled to an RMS of ``level``; silence stays silence."""
    own = rms(samples)
    return (samples * (level / own)).astype(np.float32) if own > 0 else samples


def resample(samples: np.ndarray, rate: int, to: int) -> np.ndarray:
    """Mono samples [n] at another rate (Hz), at high quality."""
    if rate == to:
        return samples
    import soxr

    return np.asarray(soxr.resample(samples, rate, to, quality="HQ"), dtype=np.float32)


def _opened(path: Path | str, shortest: float = MIN_SECONDS) -> sf.SoundFile:
    """The file, its header checked; BadAudio with the reason otherwise."""
    path = Path(path)
    if not path.is_file():
        raise BadAudio(path, "it is a folder, no audio file" if path.is_dir() else "no such file")
    if path.stat().st_size == 0:
        raise BadAudio(path, "the file is empty")
    try:
        file = sf.SoundFile(path)
    except sf.SoundFileError as error:
        why = "its format is not known" if "not exist" in str(error) else _plain(error)
        raise BadAudio(path, f"it cannot be read as audio ({why})") from None
    reason = _wrong_with_header(file, path, shortest)
    if reason:
        file.close()
        raise BadAudio(path, reason)
    return file


def _wrong_with_header(file: sf.SoundFile, path: Path, shortest: float) -> str:
    if file.channels > MAX_CHANNELS:
        return f"it has {file.channels} channels, at most {MAX_CHANNELS} are taken"
    if not MIN_RATE <= file.samplerate <= MAX_RATE:
        return f"its rate is {file.samplerate} Hz; it must lie in {MIN_RATE}..{MAX_RATE} Hz"
    if file.format == "OGG" and _lacks_last_page(path):
        return "it is truncated: its last page is missing"
    cut = _CUT_CHUNK.search(file.extra_info)
    if cut and int(cut[2]) < int(cut[1]) < _UNKNOWN_SIZE:
        return f"it is truncated: {cut[2]} bytes of audio where its header says {cut[1]}"
    return _wrong_with_length(file.frames, file.samplerate, shortest)


def _lacks_last_page(path: Path) -> bool:
    """Whether the last page of an Ogg stream is not marked as its last (RFC 3533, section 6)."""
    with path.open("rb") as raw:
        raw.seek(-min(path.stat().st_size, _BLOCK), 2)  # a page is shorter than that
        page = raw.read().rpartition(b"OggS")[2]
    return len(page) < 2 or not page[1] & 4


def _check_end(file: sf.SoundFile, path: Path | str) -> None:
    """A FLAC that lost its end still opens: its last frame must be there."""
    try:
        file.seek(file.frames - 1)
        ends_well = len(file.read(1)) == 1
    except sf.SoundFileError:
        ends_well = False
    if not ends_well:
        raise BadAudio(path, "it is truncated or damaged: its end cannot be read")


def _wrong_with_length(frames: int, rate: int, shortest: float) -> str:
    seconds = frames / rate
    if frames == 0:
        return "it holds no audio, or is truncated"
    if seconds < shortest:
        return f"it lasts {seconds:.3g} s; it must last at least {shortest:g} s"
    if seconds > MAX_SECONDS:
        return f"it claims {seconds / 3600:.3g} hours; at most {MAX_SECONDS // 3600} are taken"
    return ""


def _mono_blocks(
    file: sf.SoundFile, path: Path | str, shortest: float = MIN_SECONDS
) -> Iterator[np.ndarray]:
    """Finite mono blocks [≤ _BLOCK] float32 to the end of the file, counted. Samples of 16 bits are
    read as they are: libsndfile takes seven times as long to make floats of them, and whole numbers
    need no check."""
    whole, frames = file.subtype == "PCM_16", 0
    while len(block := _read(file, path, "int16" if whole else "float32")):
        frames += len(block)
        if not whole:
            _check_values(block, path)
        if frames > MAX_SECONDS * file.samplerate:
            raise BadAudio(path, f"it lasts over {MAX_SECONDS // 3600} hours")
        yield _to_mono(block.astype(np.float32)) * _STEP if whole else _to_mono(block)
    reason = _wrong_with_length(frames, file.samplerate, shortest)
    if not reason and frames < _SHORT * file.frames and _knows_its_length(file, path):
        reason = f"it is truncated: {frames} frames of audio where its header says {file.frames}"
    if reason:
        raise BadAudio(path, reason)


def _check_values(block: np.ndarray, path: Path | str) -> None:
    if not np.isfinite(block).all():
        raise BadAudio(path, "it holds NaN or infinite samples")
    if np.abs(block).max() > MAX_VALUE:
        raise BadAudio(path, f"it holds samples beyond ±{MAX_VALUE:g}; full scale is ±1")


def _to_mono(block: np.ndarray) -> np.ndarray:
    """[n, channels] → [n]: the mean, to the bit, which NumPy takes long to find of two numbers."""
    if block.shape[1] == 1:
        return block[:, 0]
    return (block[:, 0] + block[:, 1]) / 2 if block.shape[1] == 2 else block.mean(axis=1)


def _read(file: sf.SoundFile, path: Path | str, kind: str) -> np.ndarray:
    try:
        return file.read(_BLOCK, dtype=kind, always_2d=True)  # [≤ _BLOCK, channels]
    except sf.SoundFileError as error:
        raise BadAudio(path, f"it is truncated or damaged ({_plain(error)})") from None


def _knows_its_length(file: sf.SoundFile, path: Path | str) -> bool:
    """Whether the header states it: in an MP3 only a Xing or Info tag does."""
    if file.format != "MP3":
        return True
    with Path(path).open("rb") as raw:
        return bool(_LENGTH_TAG.search(raw.read(_BLOCK)))


def _resampled(blocks: Iterator[np.ndarray], rate: int, to: int) -> Iterator[np.ndarray]:
    """The blocks at another rate, as one stream (no seams)."""
    if rate == to:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(rate, to, num_channels=1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _plain(error: Exception) -> str:
    """The library's own words without the path, which the message has already."""
    return str(error).rpartition(": ")[2].rstrip(".").lower()
