"""VGGish's log-mel front end, and an embedding without weights made from it.

The front end: Hershey et al., "CNN architectures for large-scale audio classification",
ICASSP 2017, in the settings of the released VGGish.
"""

# Shapes: n samples at 16 kHz; W windows of 96 frames; M = 64 mel bands.

import numpy as np

from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import Embedding
from timbrebench.core.mel import MelSpec, filterbank
from timbrebench.core.records import Clip

FRAMES = 96  # of 10 ms: a window of 0.96 s
OFFSET = 0.01  # added to the mel before its log, so that quiet bands say little
SPEC = MelSpec("vggish", 16000, 512, 400, 160, 64, 125.0, 7500.0, 1.0, "ln", OFFSET, True, FRAMES)


def windows_of(samples: np.ndarray) -> np.ndarray:
    """Audio [n] → log-mel windows [W, 96, M] float32; an incomplete last window is left out."""
    needed = SPEC.win + (FRAMES - 1) * SPEC.hop
    if len(samples) < needed:
        raise CannotMeasure(
            f"{len(samples) / SPEC.rate:.2f} s are shorter than a window of "
            f"{needed / SPEC.rate:.3f} s"
        )
    frames = np.lib.stride_tricks.sliding_window_view(samples, SPEC.win)[:: SPEC.hop]
    magnitude = np.abs(np.fft.rfft(frames * _periodic_hann(SPEC.win), SPEC.n_fft))
    log_mel = np.log(magnitude @ filterbank(SPEC).numpy().T + OFFSET)  # [frames, M]
    whole = len(log_mel) // FRAMES
    return log_mel[: whole * FRAMES].reshape(whole, FRAMES, SPEC.n_mels).astype(np.float32)


def _periodic_hann(length: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


class LogMel(Embedding):
    """Mean and deviation of each band over a window: 128 numbers for 0.96 s.

    It hears the mean spectrum and how much it moves, nothing of order in time. A smoke test that
    needs no weights; it is not VGGish, and its FAD compares with no published figure.
    """

    def embed(self, clip: Clip) -> np.ndarray:
        windows = windows_of(clip.samples)
        return np.concatenate([windows.mean(axis=1), windows.std(axis=1)], axis=1)
