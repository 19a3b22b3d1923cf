import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from timbrebench.methods.diffusion.embedding import Fourier
from timbrebench.methods.diffusion.unet import Attention, UNet


def awake(network):
    """The network with no layer silent any more."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network.eval()


@pytest.mark.parametrize(("patch", "blocks"), [(1, 2), (2, 1)])
def test_shapes(patch, blocks):
    network = UNet(3, 2, (8, 16, 24), blocks=blocks, size=32, patch=patch)
    assert network(torch.zeros(2, 3, 32, 48), torch.zeros(2)).shape == (2, 2, 32, 48)


def test_an_untrained_network_is_silent():
    network = UNet(1, 1, (8, 16), size=16)
    assert (network(torch.randn(1, 1, 16, 16), torch.rand(1)) == 0).all()


def test_every_input_counts_and_every_parameter_learns():
    network = awake(UNet(1, 1, (8, 16), size=16, condition_channels=2, vector=5))
    x, level = torch.randn(2, 1, 16, 16), torch.tensor([0.2, 0.7])
    condition, vector = torch.randn(2, 2, 16, 16), torch.randn(2, 5)
    inputs = [t.requires_grad_() for t in (x, level, condition, vector)]
    network(*inputs).square().mean().backward()
    assert all(float(t.grad.abs().sum()) > 0 for t in inputs)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_examples_do_not_touch_each_other():
    network = awake(UNet(1, 1, (8, 16), size=16))
    x, level = torch.randn(3, 1, 16, 16), torch.rand(3)
    alone = torch.cat([network(x[i : i + 1], level[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(network(x, level), alone, atol=1e-5, rtol=1e-4)


def test_attention_is_only_where_the_image_is_small():
    def attending(**kwargs):
        network = UNet(1, 1, (8, 16, 16, 16), **kwargs)
        return sum(isinstance(m, Attention) for m in network.modules())

    assert attending(size=128, blocks=1) == 1 + 1 + 2  # only the lowest of 128, 64, 32, 16
    assert attending(size=128, blocks=1, patch=2) == 2 * 3 + 1  # the two lowest of 64 … 8
    assert attending(size=256, blocks=1) == 0


def test_it_can_be_traced_without_computing():
    with FakeTensorMode():
        network = UNet(1, 1, (8, 16), size=16, patch=2)
        network(torch.zeros(2, 1, 32, 32), torch.zeros(2)).mean().backward()


def test_waves_have_the_stated_frequencies():
    waves = Fourier(4, 1.0, 10.0)(torch.tensor([0.25, 0.5]))
    sines = [[1.0, 1.0], [0.0, 0.0]]  # 1 and 10 turns a unit: 1/4 and 5/2 turns, 1/2 and 5 turns
    cosines = [[0.0, -1.0], [-1.0, 1.0]]
    sines[0][1] = 0.0
    expected = torch.cat([torch.tensor(sines), torch.tensor(cosines)], dim=1)
    torch.testing.assert_close(waves, expected, atol=1e-5, rtol=0)
