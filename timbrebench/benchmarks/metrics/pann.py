"""PANN: the audio-tagging network CNN14 at 16 kHz, as ``frechet-audio-distance`` has it.

Conventions
-----------
A clip is cut into windows of 10 s, the length of what the network was trained on. A shorter clip
is one window; so is a rest of at least half a window. That package strings the 2,048 numbers of
all its files into one long vector, which no distance can be made from; here each window is a row
of its own.

References
----------
Kong et al., "PANNs: Large-scale pretrained audio neural networks for audio pattern recognition",
IEEE/ACM TASLP 28 (2020). Weights: Zenodo record 3987831.
"""

# Shapes: n samples at 16 kHz.

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import Embedding
from timbrebench.core.records import Clip
from timbrebench.core.weights import known

if TYPE_CHECKING:
    from torch import nn

RATE = 16000  # Hz
WINDOW = 10 * RATE  # samples
SHORTEST = RATE // 2  # samples: five halvings of frames of 10 ms need 0.32 s
SETTINGS: dict[str, int] = {
    "sample_rate": RATE,
    "window_size": 512,
    "hop_size": 160,
    "mel_bins": 64,
    "fmin": 50,
    "fmax": 8000,
    "classes_num": 527,
}


class Pann(Embedding):
    """CNN14's 2,048 numbers for each 10 s."""

    def missing(self) -> str:
        return known("pann").missing()

    def embed(self, clip: Clip) -> np.ndarray:
        import torch

        with torch.inference_mode():
            rows = [self._net(w)["embedding"] for w in map(torch.from_numpy, cut(clip.samples))]
        return torch.cat(rows).numpy()

    @cached_property
    def _net(self) -> "nn.Module":
        from frechet_audio_distance.models.pann import Cnn14_16k

        net = Cnn14_16k(**SETTINGS)
        net.load_state_dict(read_state(known("pann").verified()))
        return net.eval()


def cut(samples: np.ndarray) -> Iterator[np.ndarray]:
    """Audio [n] → windows [1, up to WINDOW] float32."""
    if len(samples) < SHORTEST:
        raise CannotMeasure(
            f"{len(samples) / RATE:.2f} s are shorter than the {SHORTEST / RATE:g} s that the "
            "network needs"
        )
    for at in range(0, len(samples), WINDOW):
        window = samples[at : at + WINDOW]
        if at == 0 or len(window) >= WINDOW // 2:
            yield np.ascontiguousarray(window[None], np.float32)


def read_state(path: Path) -> dict[str, Any]:
    """The network's parameters. The published file keeps its sampler's arrays beside them: they
    are let through as data, and nothing else is."""
    import torch

    harmless: list[Any] = [np.ndarray, np.dtype, *_dtypes()]
    rebuild = np.zeros(0).__reduce__()[0]  # as old and as new numpy call it
    harmless += [(rebuild, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    with torch.serialization.safe_globals(harmless):
        return torch.load(path, map_location="cpu", weights_only=True)["model"]


def _dtypes() -> set[type]:
    return {type(np.dtype(kind)) for kind in ("i1", "i4", "i8", "f4", "f8", "?", "u4", "u8")}
