"""Images wider than a network has learned."""

# Shapes: M mel bands, S frames of a window, T frames.

from torch import Tensor

from timbrebench.core.overlap import run_sliced, slices
from timbrebench.methods.diffusion.samplers import Network


def over_windows(network: Network, size: int, overlap: int) -> Network:
    """A network for windows [B, 1, M, S], S = ``size``, as one for a single image [1, 1, M, T].

    Its answers for windows that overlap are cross-faded at every step of a sampler, so that the
    image grows as a whole (Bar-Tal et al. 2023, "MultiDiffusion"). T should be that of
    :func:`whole_windows`.
    """

    def wide(x_t: Tensor, level: Tensor) -> Tensor:
        def answer(windows: Tensor) -> Tensor:
            return network(windows, level.expand(len(windows)))

        return run_sliced(x_t[0], size, overlap, answer, pad_value=0.0)[None]

    return wide


def whole_windows(frames: int, size: int, overlap: int) -> int:
    """The least T of whole windows that covers ``frames``."""
    return slices(frames, size, overlap)[-1] + size
