"""Perceptual distances of mels, for the autoencoder's loss. None replaces another silently."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timbrebench.core import weights

# Convolutions of VGGish (index in its file → output channels), with a pooling before those
# whose number is in POOLED. Hershey et al. 2017.
CHANNELS = {0: 64, 3: 128, 6: 256, 8: 256, 11: 512, 13: 512}
POOLED = (3, 6, 11)
SCALES = 3


class Perceptual:
    """``kind``: none, multiscale or vggish. Called with two mels [B, 1, M, T] in -1..1."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.parameters: dict[str, Tensor] = {}
        self.network: VggishFeatures | None = None
        self.device = "cpu"

    def load(self, device: str) -> None:
        """Reads the weights that the kind needs; MissingData with the command where absent."""
        self.device = device
        if self.kind == "vggish":
            path = weights.known("vggish").verified()
            held = torch.load(path, map_location="cpu", weights_only=True)
            self.parameters = {k: v for k, v in held.items() if k.startswith("features.")}

    def build(self) -> None:
        """The network, with the weights if they were loaded (a trace of the cost needs none)."""
        if self.kind == "vggish":
            with torch.device(self.device):
                self.network = VggishFeatures()
            if self.parameters:
                self.network.load_state_dict(self.parameters)
            self.network.requires_grad_(False).eval()

    def __call__(self, estimate: Tensor, target: Tensor) -> Tensor:
        if self.kind == "none":
            return estimate.new_zeros(())
        if self.kind == "multiscale":
            return multiscale(estimate, target)
        assert self.network is not None, "build() comes first"
        return feature_distance(self.network(estimate), self.network(target))


def multiscale(estimate: Tensor, target: Tensor) -> Tensor:
    """L1 of the differences between neighbours in time and in frequency, at three scales."""
    total = estimate.new_zeros(())
    for _ in range(SCALES):
        for axis in (-1, -2):
            total = total + (estimate.diff(dim=axis) - target.diff(dim=axis)).abs().mean()
        estimate, target = F.avg_pool2d(estimate, 2), F.avg_pool2d(target, 2)
    return total / (2 * SCALES)


def feature_distance(estimates: list[Tensor], targets: list[Tensor]) -> Tensor:
    """Mean over layers of the mean squared difference of their maps."""
    pairs = zip(estimates, targets, strict=True)
    return torch.stack([F.mse_loss(a, b) for a, b in pairs]).mean()


class VggishFeatures(nn.Module):
    """The maps of VGGish's convolutions for a mel [B, 1, M, T]."""

    def __init__(self) -> None:
        super().__init__()
        widths = [1, *CHANNELS.values()]
        self.features = nn.ModuleDict(
            {
                str(index): nn.Conv2d(before, after, 3, padding=1)
                for index, before, after in zip(CHANNELS, widths, widths[1:], strict=False)
            }
        )

    def forward(self, mel: Tensor) -> list[Tensor]:
        maps, h = [], mel.transpose(-1, -2)  # VGGish has time first
        for index in CHANNELS:
            h = F.max_pool2d(h, 2) if index in POOLED else h
            h = torch.relu(self.features[str(index)](h))
            maps.append(h)
        return maps
