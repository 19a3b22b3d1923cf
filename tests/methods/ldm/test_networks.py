"""The corrected networks: what they must not see, and what they must not change."""

import numpy as np
import pytest
import torch

from timbrebench.methods.ldm.autoencoder import Autoencoder
from timbrebench.methods.ldm.latents import CONTEXT, PART, in_parts
from timbrebench.methods.ldm.style import StyleEncoder
from timbrebench.methods.ldm.unet import CrossAttention, UNet


def test_a_whole_track_is_encoded_as_its_parts_are():
    torch.manual_seed(0)
    module, track = Autoencoder(4, 8), torch.rand(1, 1, 128, 512) * 2 - 1
    whole, part = module.encode(track), module.encode(track[..., 128:256])
    assert whole.shape == (1, 4, 16, 64)
    margin = 4  # latents that see beyond the part's ends
    torch.testing.assert_close(
        whole[..., 16 + margin : 32 - margin], part[..., margin:-margin], atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("frames", [64, 4096, 4100, 9001])
def test_long_tracks_are_encoded_in_parts_and_come_out_as_whole(frames: int) -> None:
    torch.manual_seed(0)
    module, track = Autoencoder(4, 8), np.random.default_rng(0).uniform(-1, 1, (128, frames))
    longest = []

    def encode(values: np.ndarray) -> np.ndarray:
        longest.append(values.shape[1])
        with torch.inference_mode():
            return module.encode(torch.from_numpy(values)[None, None])[0].numpy()

    values = track.astype(np.float32)
    found = in_parts(encode, values)
    assert max(longest) <= PART + 2 * CONTEXT
    np.testing.assert_allclose(found, encode(values), atol=1e-5)


def test_any_length_is_encoded_and_batches_do_not_mix():
    torch.manual_seed(0)
    module = Autoencoder(4, 8)
    assert module.encode(torch.zeros(1, 1, 128, 130)).shape[-1] == 17
    a, b = torch.rand(2, 1, 1, 128, 64) * 2 - 1
    together = module.decode(module.encode(torch.cat([a, b])))
    torch.testing.assert_close(together[:1], module.decode(module.encode(a)))
    assert together.shape[-2:] == (128, 64)


def test_style_knows_no_order_in_time():
    """Away from the ends, where convolutions meet zeros, reordering far parts changes nothing."""
    torch.manual_seed(0)
    encoder = StyleEncoder(4, 16)
    rest = torch.zeros(1, 4, 16, 8)
    a, b = torch.randn(2, 1, 4, 16, 8)
    one = encoder(torch.cat([rest, a, rest, b, rest], dim=-1))
    other = encoder(torch.cat([rest, b, rest, a, rest], dim=-1))
    torch.testing.assert_close(one.tokens, other.tokens)
    torch.testing.assert_close(one.vector, other.vector)


def test_a_dropped_style_is_no_style():
    torch.manual_seed(0)
    encoder = StyleEncoder(4, 16)
    style = encoder(torch.randn(2, 4, 16, 16))
    kept = encoder.drop(style, torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(kept.tokens[0], style.tokens[0])
    torch.testing.assert_close(kept.tokens[1], encoder.none(1).tokens[0])
    torch.testing.assert_close(kept.vector[1], encoder.none(1).vector[0])


def test_cross_attention_adds_and_at_first_adds_nothing():
    x, tokens = torch.randn(2, 64, 4, 4), torch.randn(2, 16, 8)
    attention = CrossAttention(64, 8)
    torch.testing.assert_close(attention(x, tokens), x)


def test_cross_attention_equals_torchs_own():
    torch.manual_seed(0)
    ours, own = CrossAttention(64, 8), torch.nn.MultiheadAttention(64, 2, batch_first=True)
    torch.nn.init.normal_(ours.out.weight)
    x, tokens = torch.randn(2, 64, 4, 4), torch.randn(2, 16, 8)
    asked = ours.query(ours.norm(x)).flatten(2).transpose(1, 2)
    key, value = ours.key_value(tokens).chunk(2, dim=-1)
    with torch.no_grad():
        own.in_proj_weight.copy_(torch.eye(64).repeat(3, 1))
        own.in_proj_bias.zero_()
        own.out_proj.weight.copy_(ours.out.weight[:, :, 0, 0])
        own.out_proj.bias.copy_(ours.out.bias)
    told = own(asked, key, value)[0].transpose(1, 2).reshape(x.shape)
    torch.testing.assert_close(ours(x, tokens), x + told, atol=1e-4, rtol=1e-4)


def test_unet_hears_style_and_content():
    torch.manual_seed(0)
    net = UNet(4, (32, 64), 16, content_dim=8)
    torch.nn.init.normal_(net.last.weight)
    for name, weight in net.named_parameters():
        if name.endswith(("conv2.weight", "out.weight", "film.weight")):
            torch.nn.init.normal_(weight, std=0.05)  # they start as zeros
    z, level = torch.randn(1, 4, 16, 16), torch.tensor([0.5])
    tokens, vector, content = torch.randn(1, 16, 16), torch.randn(1, 16), torch.randn(1, 8, 16, 16)
    base = net(z, level, tokens, vector, content)
    assert base.shape == z.shape
    for changed in (
        net(z, level, -tokens, vector, content),
        net(z, level, tokens, -vector, content),
        net(z, level, tokens, vector, -content),
        net(z, level + 0.3, tokens, vector, content),
    ):
        assert (changed - base).abs().mean() > 1e-3
