from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import StageContext, Trained
from timbrebench.core.mel import normalise, preset
from timbrebench.core.options import build, describe, resolve
from timbrebench.core.records import Task
from timbrebench.core.seeds import generator
from timbrebench.methods.ddim.context import condition_of
from timbrebench.methods.ddim.model import Ddim
from timbrebench.methods.ddim.network import (
    ROWS,
    AttendingUNet,
    PooledAttention,
)
from timbrebench.methods.ddim.network_published import PublishedUNet
from timbrebench.methods.ddim.plugin import INFO, Options
from timbrebench.methods.ddim.stage import schedule_of
from timbrebench.methods.diffusion.keras_blocks import Attention
from timbrebench.testing import check_method, tiny_corpus

TASK = Task("generate", "bow")
SMALL = {"widths": (8, 16), "steps": 2, "batch": 2, "seconds": 0.64, "overlap": 8}
PAPER = build(Options, resolve("ddim", describe(Options), INFO.presets, {}, "paper"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return tiny_corpus(tmp_path_factory.mktemp("tiny"))


def prepared(options, corpus):
    (stage,) = Ddim(options).stages(corpus, [TASK])
    stage.prepare(StageContext(corpus, {}, "cpu", lambda what, share: None))
    return stage


def shaken(network):
    """The network with random weights everywhere: none is silent."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


def with_network(options, network, corpus=None):
    method = Ddim(options)
    state = {"low": -11.5, "high": 1.0}
    method.setup(corpus, {TASK.a: Trained(network, state)}, "cpu")
    return method


# ---------------------------------------------------------------------------- networks


def test_the_published_network_has_the_published_structure():
    network = PublishedUNet(PAPER.widths, PAPER.block_depth)

    def block(i, o):  # two 3×3 convolutions, and 1×1 where the widths differ
        return 9 * i * o + 9 * o * o + 2 * o + (i * o + o if i != o else 0)

    down = block(64, 32) + 3 * block(32, 32) + block(32, 64) + 3 * block(64, 64)
    down += block(64, 96) + 3 * block(96, 96) + block(96, 128) + 3 * block(128, 128)
    up = block(128 + 96, 96) + 3 * block(192, 96) + block(96 + 64, 64) + 3 * block(128, 64)
    up += block(64 + 32, 32) + 3 * block(64, 32)
    attention = sum(4 * c * c + 4 * c + 2 * c for c in (96, 64, 32))
    ends = (32 + 32) + (32 + 1)
    assert sum(p.numel() for p in network.parameters()) == down + up + attention + ends


@pytest.mark.parametrize("widths", [(8, 16), (8, 16, 24, 32)])
@pytest.mark.parametrize("published", [False, True])
def test_attention_comes_after_every_up_block(published, widths):
    kind = Attention if published else PooledAttention
    network = PublishedUNet(widths, 2) if published else AttendingUNet(widths, 2, 32, 1)
    ran = []
    for module in network.modules():
        if isinstance(module, kind):
            module.register_forward_hook(lambda m, given, made: ran.append(made.shape[1:3]))
    assert network(torch.randn(1, 1, 32, 16), torch.tensor([0.5])).shape == (1, 1, 32, 16)
    rows = [32 // 2**level for level in range(len(widths) - 1)]
    assert ran == list(zip(widths[-2::-1], rows[::-1], strict=True))


@pytest.mark.parametrize("published", [False, True])
def test_the_networks_listen_to_all_their_inputs(published):
    widths = (8, 16, 24)
    made = PublishedUNet(widths, 2, 2) if published else AttendingUNet(widths, 2, 32, 2, 2)
    network = shaken(made)
    inputs = torch.randn(2, 1, 32, 16), torch.tensor([0.2, 0.7]), torch.randn(2, 2, 32, 16)
    for given in inputs:
        given.requires_grad_()
    network(*inputs).square().mean().backward()
    assert all(float(given.grad.abs().sum()) > 0 for given in inputs)
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("rows", [ROWS, 4 * ROWS])
def test_pooled_attention_is_full_attention_on_averaged_keys(rows):
    attention = shaken(PooledAttention(64))
    x = torch.randn(2, 64, rows, 12)
    h = attention.norm(x)
    pooled = h.unfold(2, rows // ROWS, rows // ROWS).unfold(3, rows // ROWS, rows // ROWS)
    keys = pooled.mean(dim=(-1, -2)).flatten(2).transpose(1, 2)  # [2, K, 64]

    reference = nn.MultiheadAttention(64, 2, batch_first=True)
    with torch.no_grad():
        for ours, part in ((attention.q, slice(0, 64)), (attention.kv, slice(64, 192))):
            reference.in_proj_weight[part] = ours.weight[:, :, 0, 0]
            reference.in_proj_bias[part] = ours.bias
        reference.out_proj.weight[:] = attention.out.weight[:, :, 0, 0]
        reference.out_proj.bias[:] = attention.out.bias
        told, _ = reference(h.flatten(2).transpose(1, 2), keys, keys)
        expected = x + told.transpose(1, 2).reshape(x.shape)
        torch.testing.assert_close(attention(x), expected, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------------- options


def test_the_paper_preset_is_the_paper():
    (stage,) = Ddim(PAPER).stages(None, [TASK])
    recipe = stage.recipe
    assert isinstance(stage.build(), PublishedUNet)
    assert (recipe.lr, recipe.lr_final, recipe.weight_decay) == (3.3107e-5, 3.3107e-5, 0.06881)
    assert (recipe.batch_size, PAPER.steps, stage.frames) == (16, 1000, 256)
    assert (PAPER.objective, PAPER.loss, PAPER.weighting) == ("noise", "l2", "none")
    assert PAPER.sampler == "ddim"
    alpha, _ = stage.schedule(torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(alpha, torch.tensor([0.933, 0.195]))


def test_by_default_the_noise_is_pure_where_sampling_begins():
    alpha, sigma = schedule_of(Options())(torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert alpha.tolist() == pytest.approx([1, 0], abs=1e-12)
    assert sigma.tolist() == pytest.approx([0, 1], abs=1e-12)
    with pytest.raises(BenchError, match="noise"):
        Ddim(Options(objective="noise")).stages(None, [TASK])


def test_the_search_space_is_of_legal_values():
    specs = {spec.name: spec for spec in describe(Options)}
    for name, span in INFO.search.items():
        assert [specs[name].parse(v, "ddim") for v in (span.low, span.high)] == [
            span.low,
            span.high,
        ]


def test_a_stage_an_instrument_and_a_mixture_is_one():
    tasks = [Task("generate", name) for name in ("bow", "bow+bell", "bow")]
    assert [s.name for s in Ddim(Options()).stages(None, tasks)] == ["bow", "bow+bell"]


def test_a_clip_divides_by_what_the_network_halves():
    for options in (Options(), Options(seconds=10.24), Options(seconds=1, widths=(8, 8, 8))):
        (stage,) = Ddim(options).stages(None, [TASK])
        unit = options.patch * 2 ** (len(options.widths) - 1)
        assert stage.frames % unit == 0 and abs(stage.frames - 50 * options.seconds) <= unit / 2


# ---------------------------------------------------------------------------- the method


@pytest.mark.parametrize(
    ("variant", "context"), [("default", False), ("default", True), ("published", True)]
)
def test_contract(variant, context):
    check_method(INFO, options=SMALL | {"variant": variant, "context": context})


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("seconds", [0.1, 0.62, 0.64, 2.0])
def test_any_length(context, seconds):
    options = Options(**SMALL, context=context)
    (stage,) = Ddim(options).stages(None, [TASK])
    method = with_network(options, shaken(stage.build()))
    made = method.generate("bow", 2, seconds, [generator(0), generator(1)])
    assert made.lengths == [round(seconds * 16000)] * 2
    assert all(v.shape == (128, 1 + made.lengths[0] // 320) for v in made.values)
    assert np.abs(made.values[0] - made.values[1]).max() > 0.01
    longer = method.generate("bow", 1, seconds + 0.02, [generator(0)])
    same = np.allclose(longer.values[0][:, :-1], made.values[0], atol=1e-5)
    assert same or not context  # clip by clip, the beginning does not depend on the end


class Certain(nn.Module):
    """Knows the data, the same image at every place."""

    def __init__(self):
        super().__init__()
        self.image = torch.linspace(-0.9, 0.9, 128)[:, None]
        self.widths = set()

    def forward(self, x, level, condition=None):
        self.widths.add(x.shape[-1])
        return self.image.expand_as(x)


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpmpp"])
def test_every_sampler_finds_what_is_certain_in_10_steps(sampler, context):
    network = Certain()
    options = replace(Options(**SMALL), sampler=sampler, steps=10, context=context)
    made = with_network(options, network).generate("bow", 1, 2.0, [generator(0)])
    expected = np.broadcast_to(network.image.numpy(), made.values[0].shape)
    np.testing.assert_allclose(made.values[0], expected, atol=1e-5)
    assert network.widths == {32}  # windows of the length that it learned


# ---------------------------------------------------------------------------- context


def test_the_clip_before_stands_mirrored_beside_the_next(corpus):
    stage = prepared(Options(**SMALL, context=True, context_drop=0.1), corpus)
    mels = [normalise(mel, stage.state) for mel in stage.crops.mels["train"]]
    examples = [stage.example(generator(i), "train") for i in range(40)]
    given = [e for e in examples if e["condition"][1].any()]
    assert 20 < len(given) < 40
    for example in given:
        joined = np.concatenate([example["condition"][0, :, ::-1], example["clip"][0]], axis=1)
        assert any(_occurs(joined, mel) for mel in mels)
    assert all(not e["condition"].any() for e in examples if not e["condition"][1].any())


def _occurs(piece, mel):
    views = np.lib.stride_tricks.sliding_window_view(mel, piece.shape[1], axis=1)
    return bool((views == piece[:, None]).all(axis=(0, 2)).any())


def test_the_clip_before_changes_the_next():
    options = Options(**SMALL, context=True)
    (stage,) = Ddim(options).stages(None, [TASK])
    network = shaken(stage.build())
    x, level = torch.randn(1, 1, 128, 32), torch.tensor([0.9])
    rng = np.random.default_rng(0)
    befores = [None, *rng.uniform(-1, 1, (2, 128, 32))]
    answers = [
        network(x, level, torch.from_numpy(condition_of(before, (128, 32)))[None])
        for before in befores
    ]
    assert all((a - b).abs().max() > 1e-3 for a, b in pairwise(answers))


def test_training_learns_to_use_the_clip_before(corpus):
    """On notes that never end, at pure noise: only the clip before tells which note it is."""
    options = Options(**SMALL | {"widths": (16, 16)}, context=True)
    stage = prepared(options, corpus)
    chords = generator("chords").uniform(-11, 1, (8, 128, 1)).astype(np.float32)
    stage.crops.mels["train"] = [np.repeat(chord, 512, axis=1) for chord in chords]
    torch.manual_seed(0)
    network = stage.build()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for i in range(80):
        optimiser.zero_grad()
        stage.loss(network, _batch(stage, i))["loss"].backward()
        optimiser.step()
    with torch.no_grad():
        losses = stage.loss(network.eval(), _batch(stage, "last"))
    assert losses["loss_by_wrong_condition"] > 1.2 * losses["loss"]


def _batch(stage, key):
    examples = [stage.example(generator(key, n), "train") for n in range(4)]
    batch = {k: torch.from_numpy(np.stack([e[k] for e in examples])) for k in examples[0]}
    return batch | {"t": torch.ones(4)}


def test_context_needs_tracks_of_two_clips(corpus):
    with pytest.raises(BenchError, match="two clips"):
        prepared(Options(seconds=3.2, context=True), corpus)


def test_the_stage_is_of_its_training_options_only():
    spec = preset("soundstream")

    def config(**options):
        (stage,) = Ddim(Options(**options), spec).stages(None, [TASK])
        return stage.config

    assert config() == config(steps=3, sampler="ddpm", overlap=0)
    assert config() != config(seconds=10.24) and config() != config(context=True)
    assert config() != config(max_signal_rate=0.95)
