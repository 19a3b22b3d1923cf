"""Audio of any container, decoded by PyAV's own FFmpeg, trimmed and kept as FLAC.

The file is read through a Python file object and by plain demuxers only, so that nothing in it
(a playlist in disguise) can name another file or address. What is truncated or damaged is no
recording: it is refused, by the rules of ``core.audio`` and by what decoding it tells.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr

from timbrebench.core.audio import MAX_CHANNELS, MAX_RATE, MAX_VALUE, MIN_RATE, unusable
from timbrebench.core.errors import BadAudio
from timbrebench.core.files import atomic_path

_CONTAINERS = (
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,ogg,flac,wav,aac,aiff,w64,asf,avi,mpegts,flv,au"
)
HOP, FRAME = 512, 2048  # samples: of librosa's trim, whose definition this is
_BLOCK = 1 << 16  # samples
_SHORT = 0.95  # share of the stated length under which a file is truncated, not just imprecise
_ODD = 1000  # packets, of which one may be damaged
_MP3_FRAMES = re.compile(rb"(?:Xing|Info)\0\0\0[\1\3\5\7\11\13\15\17](.{4})", re.DOTALL)  # a tag's


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


# ---------------------------------------------------------------------------- trimming


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
