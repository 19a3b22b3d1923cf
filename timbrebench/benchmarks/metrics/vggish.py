"""VGGish: the embedding in which Fréchet audio distances are published.

References: Hershey et al., ICASSP 2017; weights as converted in harritaylor/torchvggish, release
v0.1. As for the published distances, the last ReLU is left out and there is no PCA.
"""

# Shapes: B windows; 96 frames × 64 mel bands, halved by each of four poolings to 6 × 4.

from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from timbrebench.benchmarks.metrics.logmel import windows_of
from timbrebench.core.interfaces import Embedding
from timbrebench.core.records import Clip
from timbrebench.core.weights import known

_POOL = 0
_WIDTHS = (64, _POOL, 128, _POOL, 256, 256, _POOL, 512, 512, _POOL)
_BATCH = 32  # windows


class VGGishNet(nn.Module):
    """The network, 72 M parameters. Its attributes are named as in the released weights."""

    def __init__(self) -> None:
        super().__init__()
        self.features = _convolutions()
        self.embeddings = nn.Sequential(
            nn.Linear(6 * 4 * 512, 4096),
            nn.ReLU(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, 128),
        )

    def forward(self, windows: Tensor) -> Tensor:
        """Log-mel windows [B, 96, 64] → [B, 128]."""
        maps = self.features(windows[:, None])  # [B, 512, 6, 4]
        # The weights come from TensorFlow, which keeps channels last.
        return self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))


def _convolutions() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 1
    for width in _WIDTHS:
        if width == _POOL:
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


class VGGish(Embedding):
    """VGGish's 128 numbers for each 0.96 s."""

    def missing(self) -> str:
        return known("vggish").missing()

    def embed(self, clip: Clip) -> np.ndarray:
        windows = torch.from_numpy(windows_of(clip.samples))
        with torch.inference_mode():
            vectors = [self._net(batch) for batch in windows.split(_BATCH)]
        return torch.cat(vectors).numpy()

    @cached_property
    def _net(self) -> VGGishNet:
        state = torch.load(known("vggish").verified(), map_location="cpu", weights_only=True)
        with torch.device("meta"):  # no time for initial values that are replaced
            net = VGGishNet()
        net.load_state_dict(state, assign=True)
        return net.eval()
