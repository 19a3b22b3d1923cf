"""Log-mel spectrograms: the presets of the published systems, and normalisation with its undo."""

# Shapes: n samples, F = n_fft // 2 + 1 bins, M mels, T frames.

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from timbrebench.core.errors import UnknownName

if TYPE_CHECKING:
    import numpy as np
    import torch

Values = TypeVar("Values", "np.ndarray", "torch.Tensor")

CEILING = 1e8  # greatest value of the mel before the log
RANGE_DB = 80.0  # that a normalised log-mel spans below the loudest of the training set
_FEW = 128  # frames whose mels are made at once
_PARTS = 4  # that the filter bank is applied in
_NEPER_DB = 20 / math.log(10)  # dB in one unit of the natural log of a magnitude


@dataclass(frozen=True)
class MelSpec:
    """How audio becomes a log-mel."""

    name: str
    rate: int  # Hz
    n_fft: int
    win: int  # samples, centred in n_fft
    hop: int  # samples
    n_mels: int
    fmin: float  # Hz
    fmax: float  # Hz
    power: float  # 1: magnitude, 2: power
    scale: str  # 'ln' (natural log of the mel) or 'db' (10·log10 of the mel power)
    floor: float  # least value of the mel before the log
    htk: bool  # HTK mel scale without area normalisation, else Slaney's with it
    frames: int  # of a training crop

    def frames_of(self, samples: int) -> int:
        """Frames of ``samples`` samples (centred frames)."""
        return 1 + samples // self.hop


PRESETS = {
    # google/soundstream/mel/decoder/music/1 and DiffTransfer's code (FACTS: 16 kHz, magnitude).
    "soundstream": MelSpec(
        "soundstream", 16000, 1024, 640, 320, 128, 0.0, 8000.0, 1.0, "ln", 1e-5, True, 128
    ),
    # Prioteasa & Stempel-Hauburger 2025: librosa's defaults at 22 050 Hz, 3 s.
    "ldm": MelSpec("ldm", 22050, 2048, 2048, 512, 128, 0.0, 11025.0, 2.0, "db", 1e-10, False, 128),
    # teticio/audio-diffusion: 256×256 at 22 050 Hz.
    "audio_diffusion": MelSpec(
        "audio_diffusion", 22050, 2048, 2048, 512, 256, 0.0, 11025.0, 2.0, "db", 1e-10, False, 256
    ),
}


def preset(name: str) -> MelSpec:
    """The preset of that name."""
    if name not in PRESETS:
        raise UnknownName("mel preset", name, PRESETS)
    return PRESETS[name]


# ---------------------------------------------------------------------------- audio → log-mel


@lru_cache
def filterbank(spec: MelSpec) -> "torch.Tensor":
    """[M, F] float32: triangles from FFT bins to mel bands. Shared: do not write to it.

    HTK: triangles that are linear in mel, peak 1, bin 0 left out (as TensorFlow's
    ``linear_to_mel_weight_matrix``); Slaney: linear in Hz, unit area (as librosa).
    """
    import torch

    bins = torch.linspace(0, spec.rate / 2, spec.n_fft // 2 + 1, dtype=torch.float64)  # Hz
    to_mel, to_hz = (_htk_mel, _same) if spec.htk else (_slaney_mel, _slaney_hz)
    low, high = to_mel(torch.tensor([spec.fmin, spec.fmax], dtype=torch.float64)).tolist()
    edges = to_hz(torch.linspace(low, high, spec.n_mels + 2, dtype=torch.float64))[:, None]
    points = to_mel(bins) if spec.htk else bins
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]  # each [M, 1]
    rise, fall = (points - left) / (centre - left), (right - points) / (right - centre)
    weights = torch.minimum(rise, fall).clamp_min(0)
    if spec.htk:
        weights[:, 0] = 0
    else:
        weights = weights * 2 / (right - left)
    return weights.float()


def log_mel(samples: "np.ndarray | torch.Tensor", spec: MelSpec) -> "torch.Tensor":
    """Samples [n] or [B, n] at ``spec.rate`` → log-mel [M, T] or [B, M, T], T = frames_of(n). On
    the CPU; frames lie one after the other in memory.

    A few frames at a time, which are still in the processor's cache when their mels are made, with
    NumPy's absolute value of complex numbers, which takes a tenth of the time of torch's: four
    times as fast as the whole STFT and a product with the whole filter bank.
    """
    import numpy as np
    import torch

    padded = _padded(samples, spec)
    window = torch.nn.functional.pad(torch.hann_window(spec.win), _margins(spec))
    pieces = padded.unfold(-1, spec.n_fft, spec.hop)  # [..., T, n_fft], a view
    made = torch.empty(*pieces.shape[:-1], spec.n_mels)
    for start in range(0, pieces.shape[-2], _FEW):
        few = slice(start, start + _FEW)
        spectra = torch.fft.rfft(pieces[..., few, :] * window)
        powers = torch.from_numpy(np.abs(spectra.numpy()))
        if spec.power != 1:
            powers.pow_(spec.power)
        for bands, bins, weights in _parts_of_bank(spec):
            made[..., few, bands] = powers[..., bins] @ weights
    return compress(made, spec).transpose(-1, -2)


@lru_cache
def _parts_of_bank(spec: MelSpec) -> "list[tuple[slice, slice, torch.Tensor]]":
    """The filter bank by neighbouring bands: (bands, the bins that they hear, weights [bins,
    bands]). Nearly all of the whole matrix is zeros."""
    import torch

    bank, parts = filterbank(spec), []
    for part in torch.arange(spec.n_mels).chunk(_PARTS):
        bands = slice(int(part[0]), int(part[-1]) + 1)
        heard = bank[bands].any(dim=0).nonzero().flatten().tolist() or [0]
        bins = slice(heard[0], heard[-1] + 1)
        parts.append((bands, bins, bank[bands, bins].T.contiguous()))
    return parts


def _margins(spec: MelSpec) -> tuple[int, int]:
    """Samples of a frame before and behind its window."""
    left = (spec.n_fft - spec.win) // 2
    return left, spec.n_fft - spec.win - left


def spectrum(samples: "np.ndarray | torch.Tensor", spec: MelSpec) -> "torch.Tensor":
    """Complex STFT [..., F, T] of samples [..., n]: centred frames, zeros beyond the ends."""
    return _stft(_padded(samples, spec), spec)


def _padded(samples: "np.ndarray | torch.Tensor", spec: MelSpec) -> "torch.Tensor":
    import torch

    half = spec.n_fft // 2
    return torch.nn.functional.pad(torch.as_tensor(samples, dtype=torch.float32), (half, half))


def _stft(padded: "torch.Tensor", spec: MelSpec) -> "torch.Tensor":
    import torch

    window = torch.hann_window(spec.win, device=padded.device)
    return torch.stft(
        padded, spec.n_fft, spec.hop, spec.win, window, center=False, return_complex=True
    )


def compress(mel: "torch.Tensor", spec: MelSpec) -> "torch.Tensor":
    """Mel (magnitude or power, as ``spec.power`` says) → log-mel."""
    log = mel.clamp(spec.floor, CEILING).log_()
    return log if spec.scale == "ln" else log.mul_(_NEPER_DB / spec.power)


def expand(log_mel: "torch.Tensor", spec: MelSpec) -> "torch.Tensor":
    """Log-mel → mel: undoes :func:`compress` above the floor."""
    return (log_mel if spec.scale == "ln" else log_mel * (spec.power / _NEPER_DB)).exp()


def silence(spec: MelSpec) -> float:
    """The log-mel of silence: what to pad with (0 would be loud)."""
    log = math.log(spec.floor)
    return log if spec.scale == "ln" else log * _NEPER_DB / spec.power


# ---------------------------------------------------------------------------- normalisation
# A state is {"low": ..., "high": ...} in the log-mel's own unit; low maps to -1, high to 1.


def fit_range(log_mels: "Iterable[np.ndarray | torch.Tensor]", spec: MelSpec) -> dict[str, float]:
    """The fixed range of a training set: its maximum and ``RANGE_DB`` below it.

    It is the same for every slice and for inference, so that level is the model's to decide.
    """
    high = max(float(values.max()) for values in log_mels)
    span = RANGE_DB if spec.scale == "db" else RANGE_DB / _NEPER_DB * spec.power
    return {"low": max(high - span, silence(spec)), "high": high}


def slice_range(log_mel: "np.ndarray | torch.Tensor") -> dict[str, float]:
    """A slice's own minimum and maximum, as DiffTransfer's code has it (``variant=published``)."""
    low, high = float(log_mel.min()), float(log_mel.max())
    return {"low": low, "high": max(high, low + 1e-3)}  # a constant slice has no range


def normalise(log_mel: Values, state: Mapping[str, float]) -> Values:
    """Log-mel → [-1, 1], clipped."""
    low, high = state["low"], state["high"]
    return (2 * (log_mel - low) / (high - low) - 1).clip(-1, 1)


def denormalise(values: Values, state: Mapping[str, float]) -> Values:
    """[-1, 1] → log-mel."""
    low, high = state["low"], state["high"]
    return (values + 1) / 2 * (high - low) + low


# ---------------------------------------------------------------------------- mel scales


def _htk_mel(hz: "torch.Tensor") -> "torch.Tensor":
    return 1127.0 * (1 + hz / 700.0).log()


def _same(mel: "torch.Tensor") -> "torch.Tensor":
    return mel


_LINEAR_HZ, _KNEE_HZ = 200 / 3, 1000.0  # Slaney: 15 mels of 66.7 Hz, then logarithmic
_KNEE_MEL, _LOG_STEP = _KNEE_HZ / _LINEAR_HZ, math.log(6.4) / 27


def _slaney_mel(hz: "torch.Tensor") -> "torch.Tensor":
    log = _KNEE_MEL + (hz / _KNEE_HZ).clamp_min(1).log() / _LOG_STEP
    return (hz / _LINEAR_HZ).where(hz < _KNEE_HZ, log)


def _slaney_hz(mel: "torch.Tensor") -> "torch.Tensor":
    log = _KNEE_HZ * (_LOG_STEP * (mel - _KNEE_MEL)).exp()
    return (mel * _LINEAR_HZ).where(mel < _KNEE_MEL, log)
