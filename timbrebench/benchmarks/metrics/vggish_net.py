"""VGGish's network. Heavy: vggish.py says what it is for, and opens without torch."""

# Shapes: B windows; 96 frames × 64 mel bands, halved by each of four poolings to 6 × 4.

import torch
from torch import Tensor, nn

_POOL = 0
_WIDTHS = (64, _POOL, 128, _POOL, 256, 256, _POOL, 512, 512, _POOL)
_FAST_FROM = 128  # input channels: below, NNPACK gains nothing


class Convolution(nn.Conv2d):
    """3 × 3, by NNPACK where nothing is trained: its Winograd transform takes two thirds of the
    time of the default on a CPU without AVX-512, and errs by about 1e-6 of the greatest value."""

    def forward(self, maps: Tensor) -> Tensor:
        if self.in_channels >= _FAST_FROM and _has_nnpack(maps):
            return torch._nnpack_spatial_convolution(maps, self.weight, self.bias, 1, 1)
        return super().forward(maps)


def _has_nnpack(maps: Tensor) -> bool:
    plain = maps.device.type == "cpu" and maps.dtype == torch.float32
    return (
        plain
        and not torch.is_grad_enabled()
        and hasattr(torch, "_nnpack_spatial_convolution")
        and torch.backends.nnpack.is_available()  # which also initialises it
    )


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
    """A ReLU after a pooling is the same as before it, and a quarter of the work."""
    layers: list[nn.Module] = []
    channels = 1
    for width, following in zip(_WIDTHS, (*_WIDTHS[1:], None), strict=True):
        if width == _POOL:
            continue
        layers.append(Convolution(channels, width, 3, padding=1))
        layers += [nn.MaxPool2d(2)] if following == _POOL else []
        layers.append(nn.ReLU(inplace=True))
        channels = width
    return nn.Sequential(*layers)
