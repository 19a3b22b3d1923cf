"""VGGish's network. Heavy: vggish.py says what it is for, and opens without torch."""

# Shapes: B windows; 96 frames × 64 mel bands, halved by each of four poolings to 6 × 4.

from torch import Tensor, nn

_POOL = 0
_WIDTHS = (64, _POOL, 128, _POOL, 256, 256, _POOL, 512, 512, _POOL)


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
