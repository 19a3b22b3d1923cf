"""Spectrograms of a test item's clips on one colour scale, as small PNG images."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from timbrebench.reports.drawing import INK, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_FFT, HOP = 2048, 256  # samples: 128 ms windows at 16 kHz, so that partials are apart
BANDS = 112  # spaced evenly on the mel scale
RANGE_DB = 75.0  # below the loudest band of any clip of the item
TICKS_KHZ = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


def images(clips: Mapping[str, np.ndarray], rate: int) -> dict[str, bytes]:
    """name → PNG of each clip [n], all with the same limits of time, frequency and colour."""
    levels = {name: band_levels_db(samples, rate) for name, samples in clips.items()}
    top = max((float(level.max()) for level in levels.values()), default=0.0)
    seconds = max((len(samples) / rate for samples in clips.values()), default=0.0)
    with style():
        return {name: _image(level, rate, seconds, top) for name, level in levels.items()}


def band_levels_db(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mean power of mel-spaced bands in dB [BANDS, frames], at least -120."""
    padded = np.pad(samples.astype(np.float64), N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(N_FFT), axis=1)) ** 2  # [frames, bins]
    edges = np.round(_mel_to_hz(np.linspace(0, _hz_to_mel(rate / 2), BANDS + 1)) / rate * N_FFT)
    starts = np.minimum(edges[:-1].astype(int), power.shape[1] - 1)
    widths = np.maximum(np.diff(edges), 1)
    bands = np.add.reduceat(power, starts, axis=1) / widths
    return 10 * np.log10(np.maximum(bands, 1e-12)).T


def _hz_to_mel(hz: float | np.ndarray) -> np.ndarray:
    return 2595 * np.log10(1 + np.asarray(hz) / 700)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return 700 * (10 ** (mel / 2595) - 1)


def _image(level: np.ndarray, rate: int, seconds: float, top: float) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(2.75, 1.25), dpi=140)
    axes = drawn.add_axes((0.1, 0.15, 0.89, 0.83))
    axes.imshow(
        level,
        origin="lower",
        aspect="auto",
        extent=(0, level.shape[1] * HOP / rate, 0, BANDS),
        vmin=top - RANGE_DB,
        vmax=top,
        cmap="magma",
        interpolation="nearest",
    )
    _axes(axes, rate, seconds)
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    return _png(np.asarray(canvas.buffer_rgba()))


def _axes(axes: "Axes", rate: int, seconds: float) -> None:
    axes.set_xlim(0, seconds)
    marks = [khz for khz in TICKS_KHZ if khz * 2000 <= rate]
    per_mel = BANDS / _hz_to_mel(rate / 2)
    axes.set_yticks([float(_hz_to_mel(khz * 1000) * per_mel) for khz in marks])
    axes.set_yticklabels([f"{khz:g}" for khz in marks])
    axes.tick_params(labelsize=6.5, length=2, width=0.5, pad=1.5, colors=INK)
    axes.text(0.008, 0.95, "kHz", transform=axes.transAxes, fontsize=6, color="white", va="top")
    axes.text(0.992, 0.05, "s", transform=axes.transAxes, fontsize=6, color="white", ha="right")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _png(pixels: np.ndarray) -> bytes:
    """[height, width, 4] bytes → PNG with a palette: a third of the bytes, the same to the eye."""
    from PIL import Image

    file = io.BytesIO()
    image = Image.fromarray(pixels).quantize(96, method=Image.Quantize.FASTOCTREE)
    image.save(file, "PNG")
    return file.getvalue()
