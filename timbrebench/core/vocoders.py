"""Log-mel → audio: Griffin-Lim, and the SoundStream mel decoder from a user's ONNX file."""

# Shapes: n samples, F bins, M mels, T frames.

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.files import sha256_of
from timbrebench.core.interfaces import Vocoder
from timbrebench.core.mel import MelSpec, expand, filterbank, spectrum
from timbrebench.core.vocoder_options import GriffinLimOptions, SoundStreamOptions

_INVERSION_STEPS = 20  # from there on, gains are under 1 % on every preset
_TINY = 1e-20


class GriffinLim(Vocoder):
    """Magnitudes by inverting the filterbank, phases by fast Griffin-Lim.

    The first phases are the same in every call, so that equal mels give equal audio.
    """

    options: GriffinLimOptions

    @torch.inference_mode()
    def synthesise(self, log_mel: np.ndarray, spec: MelSpec, length: int) -> np.ndarray:
        _check(log_mel, spec, length)
        # One more frame: else a single window, nearly zero there, would carry the last samples.
        mels = torch.from_numpy(_one_more_frame(log_mel)).float()
        target = magnitudes(mels, spec)  # [F, T+1]
        phases = first_phases(*target.shape)
        keep = self.options.momentum / (1 + self.options.momentum)
        previous = torch.zeros_like(phases)
        for _ in range(self.options.iterations):
            rebuilt = spectrum(_audio_of(target * phases, spec), spec)
            step = rebuilt - keep * previous
            phases = step / (step.abs() + 1e-16)
            previous = rebuilt
        return _audio_of(target * phases, spec)[:length].numpy()


class SoundStreamOnnx(Vocoder):
    """google/soundstream/mel/decoder/music/1: 320 samples for each log-mel frame."""

    options: SoundStreamOptions

    def __init__(self, options: SoundStreamOptions) -> None:
        super().__init__(options)
        self._file = Path(options.path).expanduser()
        self._session = _session(self._file)

    def synthesise(self, log_mel: np.ndarray, spec: MelSpec, length: int) -> np.ndarray:
        if spec.name != "soundstream":
            raise BenchError(
                f"the SoundStream decoder takes the mel 'soundstream', not '{spec.name}'.",
                hint="Use --vocoder griffinlim.",
            )
        _check(log_mel, spec, length)
        # Its frame t begins at sample 320·t where ours is centred: our frame 1 is its frame 0.
        frames = _one_more_frame(log_mel)[:, 1:].T[None]  # [1, T, M]
        name = self._session.get_inputs()[0].name
        made = self._session.run(None, {name: frames.astype(np.float32)})[0].reshape(-1)
        if len(made) < length:
            raise BenchError(f"{self._file}: gave {len(made)} samples where {length} were due.")
        return made[:length].astype(np.float32)

    @property
    def provenance(self) -> Mapping[str, str]:
        return {"file": self._file.name, "sha256": sha256_of(self._file)}


def magnitudes(log_mel: torch.Tensor, spec: MelSpec) -> torch.Tensor:
    """Log-mel [M, T] → STFT magnitudes [F, T], by expectation-maximisation.

    Each step (Richardson 1972, Lucy 1974) shares a band's energy among its bins as they hold it
    now. It never goes below zero, so that low bands narrower than a bin, where the
    pseudo-inverse oscillates, come out right.
    """
    bank = filterbank(spec)
    mel = expand(log_mel, spec)
    seen = bank.sum(dim=0).clamp_min(_TINY)[:, None]  # [F, 1]
    estimate = bank.T @ mel
    for _ in range(_INVERSION_STEPS):
        estimate = estimate * (bank.T @ (mel / (bank @ estimate).clamp_min(_TINY))) / seen
    return estimate ** (1 / spec.power)


def first_phases(bins: int, frames: int) -> torch.Tensor:
    """Unit complex numbers [F, T], random but always the same; a frame's do not depend on T."""
    rng = torch.Generator().manual_seed(0)
    angles = torch.rand(frames, bins, generator=rng).T * (2 * torch.pi)
    return torch.polar(torch.ones_like(angles), angles)


def _audio_of(spectrum: torch.Tensor, spec: MelSpec) -> torch.Tensor:
    window = torch.hann_window(spec.win)
    return torch.istft(spectrum, spec.n_fft, spec.hop, spec.win, window, center=True)


def _one_more_frame(log_mel: np.ndarray) -> np.ndarray:
    return np.concatenate([log_mel, log_mel[:, -1:]], axis=1)


def _check(log_mel: np.ndarray, spec: MelSpec, length: int) -> None:
    if log_mel.shape != (spec.n_mels, spec.frames_of(length)):
        raise ValueError(
            f"a log-mel {log_mel.shape} is not {length} samples of '{spec.name}': "
            f"that is {(spec.n_mels, spec.frames_of(length))}"
        )


def _session(file: Path) -> Any:
    """An ONNX session that takes [batch, frames, 128]; BenchError with the next step if not."""
    if not file.is_file():
        raise MissingData(
            f"the SoundStream decoder is not at '{file}'.",
            hint="Give its ONNX file with -o soundstream.path=FILE.",
        )
    try:
        import onnxruntime
    except ImportError:
        raise BenchError(
            "the SoundStream decoder needs onnxruntime.",
            hint="Install it: pip install 'timbrebench[soundstream]'",
        ) from None
    try:
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common class of their own
        reason = str(error).partition("\n")[0][:200]
        raise BenchError(f"{file}: no ONNX model that can be read ({reason}).") from None
    shapes = [i.shape for i in session.get_inputs()]
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][2] not in (128, None):
        raise BenchError(f"{file}: takes {shapes}, a SoundStream decoder [batch, frames, 128].")
    return session
