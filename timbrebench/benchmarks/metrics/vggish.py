"""VGGish: the embedding in which Fréchet audio distances are published.

References: Hershey et al., ICASSP 2017; weights as converted in harritaylor/torchvggish, release
v0.1. As for the published distances, the last ReLU is left out and there is no PCA.
"""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from timbrebench.benchmarks.metrics.logmel import windows_of
from timbrebench.core.interfaces import Embedding
from timbrebench.core.records import Clip
from timbrebench.core.weights import known

if TYPE_CHECKING:
    from timbrebench.benchmarks.metrics.vggish_net import VGGishNet

_BATCH = 32  # windows


class VGGish(Embedding):
    """VGGish's 128 numbers for each 0.96 s."""

    def missing(self) -> str:
        return known("vggish").missing()

    def embed(self, clip: Clip) -> np.ndarray:
        import torch

        windows = torch.from_numpy(windows_of(clip.samples))
        with torch.inference_mode():
            vectors = [self._net(batch) for batch in windows.split(_BATCH)]
        return torch.cat(vectors).numpy()

    @cached_property
    def _net(self) -> "VGGishNet":
        import torch

        from timbrebench.benchmarks.metrics.vggish_net import VGGishNet

        state = torch.load(known("vggish").verified(), map_location="cpu", weights_only=True)
        with torch.device("meta"):  # no time for initial values that are replaced
            net = VGGishNet()
        net.load_state_dict(state, assign=True)
        return net.eval()
