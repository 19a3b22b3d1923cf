"""VGGish: the embedding in which Fréchet audio distances are published.

References: Hershey et al., ICASSP 2017; weights as converted in harritaylor/torchvggish, release
v0.1. As for the published distances, the last ReLU is left out and there is no PCA.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from timbrebench.benchmarks.metrics.logmel import windows_of
from timbrebench.core.interfaces import Embedding
from timbrebench.core.records import Clip
from timbrebench.core.weights import known

if TYPE_CHECKING:
    from timbrebench.benchmarks.metrics.vggish_net import VGGishNet

_BATCH = 40  # windows: what four clips of 10 s have


class VGGish(Embedding):
    """VGGish's 128 numbers for each 0.96 s."""

    def missing(self) -> str:
        return known("vggish").missing()

    def embed(self, clip: Clip) -> np.ndarray:
        (vectors,) = self.embed_all([clip])
        return vectors

    def embed_all(self, clips: Sequence[Clip]) -> list[np.ndarray]:
        """The windows of all clips together: the weights of the last layers, 270 MB, are read
        once a batch."""
        import torch

        parts = [windows_of(clip.samples) for clip in clips]
        windows = torch.from_numpy(np.concatenate(parts))
        with torch.inference_mode():
            vectors = torch.cat([self._net(batch) for batch in windows.split(_BATCH)]).numpy()
        return np.split(vectors, np.cumsum([len(part) for part in parts])[:-1])

    @cached_property
    def _net(self) -> "VGGishNet":
        import torch

        from timbrebench.benchmarks.metrics.vggish_net import VGGishNet

        state = torch.load(known("vggish").verified(), map_location="cpu", weights_only=True)
        with torch.device("meta"):  # no time for initial values that are replaced
            net = VGGishNet()
        net.load_state_dict(state, assign=True)
        return net.eval()
