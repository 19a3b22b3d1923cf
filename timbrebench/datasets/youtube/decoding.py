"""Audio of any container, decoded by PyAV's own FFmpeg: mono blocks, of which nothing is believed.

The file is read through a Python file object and by plain demuxers only, so that nothing in it
(a playlist in disguise) can name another file or address. What is truncated or damaged is no
recording: it is refused, by the rules of ``core.audio`` and by what decoding it tells.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import soxr

from timbrebench.core.audio import MAX_CHANNELS, MAX_RATE, MAX_VALUE, MIN_RATE
from timbrebench.core.errors import BadAudio

_CONTAINERS = (
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,ogg,flac,wav,aac,aiff,w64,asf,avi,mpegts,flv,au"
)
_BLOCK = 1 << 16  # bytes
_SHORT = 0.95  # share of the stated length under which a file is truncated, not just imprecise
_ODD = 1000  # packets, of which one may be damaged
# Of an MP3's tag, where it says how many frames there are.
_MP3_FRAMES = re.compile(rb"(?:Xing|Info)\0\0\0[\1\3\5\7\11\13\15\17](.{4})", re.DOTALL)


def mono_blocks(path: Path, rate: int, most_seconds: float) -> Iterator[np.ndarray]:
    """The mean of its channels as float32 blocks at ``rate`` Hz. BadAudio where there is none."""
    stream: soxr.ResampleStream | None = None
    try:
        for block, own in _decoded(path, most_seconds):
            if stream is None and own != rate:
                stream = soxr.ResampleStream(own, rate, num_channels=1, dtype="float32")
            yield stream.resample_chunk(block) if stream else block
    except (av.FFmpegError, ValueError) as error:
        raise BadAudio(path.name, f"it cannot be decoded ({_plain(error)})") from None
    if stream:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _decoded(path: Path, most_seconds: float) -> Iterator[tuple[np.ndarray, int]]:
    """(mono [n] float32, its rate in Hz), as it is stored."""
    samples, rate = 0, 0
    with path.open("rb") as file:
        container = av.open(file, "r", options={"format_whitelist": _CONTAINERS})
        with container:
            if not container.streams.audio:
                raise BadAudio(path.name, "it has no sound")
            source = container.streams.audio[0]
            stated = _stated_seconds(container, source, path)
            for frame in _frames(container, source, path):
                rate = frame.sample_rate
                samples += frame.samples
                if samples > most_seconds * rate:
                    raise BadAudio(path.name, f"it lasts over {most_seconds / 3600:.3g} hours")
                yield _mono(frame.to_ndarray().reshape(frame.samples, -1), path), rate
    if not samples:
        raise BadAudio(path.name, "it has no sound")
    if samples < _SHORT * stated * rate:
        told = f"{samples / rate:.3g} s of audio where its header says {stated:.3g} s"
        raise BadAudio(path.name, f"it is truncated or damaged: {told}")


def _stated_seconds(
    container: "av.container.InputContainer", source: "av.AudioStream", path: Path
) -> float:
    """The length that the file states of its sound; 0 where it states none."""
    if container.format.name == "aac":
        return 0.0  # FFmpeg estimates it
    if container.format.name == "mp3":
        with path.open("rb") as raw:
            found = _MP3_FRAMES.search(raw.read(_BLOCK))
        samples = 1152 if source.rate >= 32_000 else 576  # a frame, of MPEG-1 and MPEG-2
        return int.from_bytes(found[1], "big") * samples / source.rate if found else 0.0
    if source.duration and source.time_base:
        return float(source.duration * source.time_base)
    alone = len(container.streams) == 1  # else it may be the picture's
    return (container.duration or 0) / av.time_base if alone else 0.0


def _mono(block: np.ndarray, path: Path) -> np.ndarray:
    """[n, channels] → [n] float32. BadAudio where the samples are none."""
    if not np.isfinite(block).all():
        raise BadAudio(path.name, "it holds NaN or infinite samples")
    if np.abs(block).max(initial=0.0) > MAX_VALUE:
        told = f"it holds samples beyond ±{MAX_VALUE:g}; full scale is ±1"
        raise BadAudio(path.name, told)
    return np.asarray(block.mean(axis=1), dtype=np.float32)


def _frames(
    container: "av.container.InputContainer", source: "av.AudioStream", path: Path
) -> Iterator["av.AudioFrame"]:
    """Frames of float samples, channel by channel; the odd one that is damaged is passed over, as
    players do."""
    packets, damaged, form = 0, 0, (0, "")
    for packet in container.demux(source):
        packets += 1
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            damaged += 1
            continue
        for frame in frames:
            before, form = form, (frame.sample_rate, frame.layout.name)
            if form != before:
                _check_form(frame, before[0], path)
                packed = av.AudioResampler(format="flt")  # PyAV 18 crashes on fltp of 8 channels
            yield from packed.resample(frame)
    if damaged > 1 + packets // _ODD:
        raise BadAudio(path.name, f"it is damaged: {damaged} of its {packets} packets")


def _check_form(frame: "av.AudioFrame", before: int, path: Path) -> None:
    channels, rate = len(frame.layout.channels), frame.sample_rate
    if channels > MAX_CHANNELS or not MIN_RATE <= rate <= MAX_RATE:
        raise BadAudio(path.name, f"{channels} channels at a rate of {rate} Hz")
    if rate != (before or rate):
        raise BadAudio(path.name, "its rate changes on the way")


def _plain(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error).partition("\n")[0]
