"""VGGish's network, for inference. Heavy: vggish.py says what it is for, and opens without torch.

Its 3 × 3 convolutions are Winograd's F(4×4, 3×3): every 4 × 4 outputs of a channel take 36
products instead of 144. On a CPU without AVX-512 the whole takes half the time of torch's direct
convolutions, and errs by about 1e-6 of the greatest value.

References: Hershey et al., ICASSP 2017 (network); Lavin & Gray, "Fast algorithms for
convolutional neural networks", CVPR 2016, section 4 (transforms).
"""

# Shapes: B windows, H × W places, C and O channels of input and output, last. A window has 96
# frames × 64 mel bands, halved by each of four poolings to 6 × 4.

from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_POOL = 0
_WIDTHS = (64, _POOL, 128, _POOL, 256, 256, _POOL, 512, 512, _POOL)
_TOGETHER = 8  # windows: no slower than more, in less memory

# Of one dimension: Bᵀ on 6 inputs, G on 3 weights, Aᵀ on 6 products to 4 outputs.
_INPUT = torch.tensor(
    [
        [4.0, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_WEIGHTS = torch.tensor(
    [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], dtype=torch.float64
)
_WEIGHTS /= 24
_OUTPUT = torch.tensor(
    [[1.0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
)


class Convolution(nn.Conv2d):
    """3 × 3 with padding, a pooling by 2 if ``pooled``, and a ReLU, which after a pooling is the
    same and a quarter of the work: [B, H, W, C] → [B, H′, W′, O]. H and W divide by 4."""

    def __init__(self, channels: int, width: int, pooled: bool) -> None:
        super().__init__(channels, width, 3, padding=1)
        self.pooled = pooled

    def forward(self, maps: Tensor) -> Tensor:
        made = self._direct(maps) if self.in_channels == 1 else self._winograd(maps)
        assert self.bias is not None
        return made.add_(self.bias).relu_()

    def _direct(self, maps: Tensor) -> Tensor:
        """Of one channel: nine products a place, too few for a detour."""
        places = F.pad(maps[..., 0], (1, 1, 1, 1)).unfold(1, 3, 1).unfold(2, 3, 1)
        made = places.flatten(3) @ self.weight.view(self.out_channels, 9).T  # [B, H, W, O]
        return _halved(made, 1, 2) if self.pooled else made

    def _winograd(self, maps: Tensor) -> Tensor:
        into, out = _INPUT.to(maps), _OUTPUT.to(maps)
        tiles = F.pad(maps, (0, 0, 1, 1, 1, 1)).unfold(1, 6, 4).unfold(2, 6, 4)
        B, h, w = tiles.shape[:3]  # h × w tiles of 4 × 4 places, each seen with its neighbours
        tiles = tiles.permute(4, 5, 0, 1, 2, 3).reshape(6, -1)  # [6, 6·B·h·w·C]
        seen = (into @ (into @ tiles).view(6, 6, -1)).view(36, -1, self.in_channels)
        products = torch.bmm(seen, self._transformed).view(6, -1)  # of [36, B·h·w, O]
        made = (out @ (out @ products).view(4, 6, -1)).view(4, 4, B, h, w, -1)
        made = _halved(made, 0, 1) if self.pooled else made
        return made.permute(2, 3, 0, 4, 1, 5).flatten(1, 2).flatten(2, 3)

    @cached_property
    def _transformed(self) -> Tensor:
        """The weights [36, C, O]."""
        made = torch.einsum("ia,jb,ocab->ijco", _WEIGHTS, _WEIGHTS, self.weight.double())
        return made.flatten(0, 1).to(self.weight.dtype).contiguous()


def _halved(maps: Tensor, *axes: int) -> Tensor:
    """The greatest of every two neighbours along the axes. Far faster here than ``amax``."""
    for axis in axes:
        maps = torch.maximum(*maps.unflatten(axis, (-1, 2)).unbind(axis + 1))
    return maps


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
        """Log-mel windows [B, 96, 64] → [B, 128], without gradients."""
        maps = torch.cat([self.features(part) for part in windows[..., None].split(_TOGETHER)])
        # The weights come from TensorFlow, which keeps channels last, as is done here.
        return self.embeddings(maps.flatten(1))


def _convolutions() -> nn.Sequential:
    """At the places that they have in the released weights, among poolings and ReLUs."""
    layers: list[nn.Module] = []
    channels = 1
    for width, following in zip(_WIDTHS, (*_WIDTHS[1:], None), strict=True):
        if width == _POOL:
            layers.append(nn.Identity())
            continue
        layers += [Convolution(channels, width, pooled=following == _POOL), nn.Identity()]
        channels = width
    return nn.Sequential(*layers)
