from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import StageContext, Trained
from timbrebench.core.records import Task
from timbrebench.core.seeds import generator
from timbrebench.methods.cross.model import Cross
from timbrebench.methods.cross.plugin import INFO as CROSS
from timbrebench.methods.cross.plugin import Options as CrossOptions
from timbrebench.methods.diffusion.envelope import envelope
from timbrebench.methods.diffusion.unconditional_options import InstrumentOptions
from timbrebench.methods.double.model import Double
from timbrebench.methods.double.plugin import INFO, Options
from timbrebench.testing import check_method
from timbrebench.testing.corpus import tiny_corpus

SMALL = {"widths": (8, 16), "patch": 8, "batch": 4, "steps": 6, "frames": 32, "overlap": 8}
TASKS = [Task("transfer", "bow", "bell"), Task("pair", "reed", "bow")]


@pytest.fixture(scope="module")
def method(tmp_path_factory):
    """Networks with random weights everywhere."""
    corpus = tiny_corpus(tmp_path_factory.mktemp("tiny"))
    method, trained = Double(Options(**SMALL, split=2)), {}
    torch.manual_seed(0)
    for stage in method.stages(corpus, TASKS):
        stage.prepare(StageContext(corpus, {}, "cpu", lambda what, share: None))
        module = stage.build().eval()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        trained[stage.name] = Trained(module, stage.state)
    method.setup(corpus, trained, "cpu")
    return method


def pair(method, seconds=1.5, seeds=(0,), **options):
    changed = Double(replace(method.options, **options))
    changed.setup(method.corpus, method.trained, "cpu")
    rngs = [generator(seed) for seed in seeds]
    return changed.generate_pair("reed", "bow", len(seeds), seconds, rngs)


def test_it_trains_what_cross_trains(tmp_path):
    corpus = tiny_corpus(tmp_path)

    def trained(stages):
        return [(type(s), s.name, s.config, s.recipe, s.share) for s in stages]

    double = trained(Double(Options()).stages(corpus, TASKS))
    assert double == trained(Cross(CrossOptions()).stages(corpus, TASKS))
    assert [name for _, name, *_ in double] == ["bell", "bow", "reed"]
    assert {*INFO.kinds, *INFO.trains_for} == {*CROSS.kinds, *CROSS.trains_for}
    assert INFO.shares == CROSS.shares
    for field in fields(InstrumentOptions):
        assert getattr(Options(), field.name) == getattr(CrossOptions(), field.name)
    own = {field.name for field in fields(Options)}
    shared = {k: v for k, v in CROSS.presets["paper"].items() if k in own and k != "match"}
    assert INFO.presets["paper"] == {**shared, "match": "none"}


def test_before_the_split_both_are_one(method):
    """With one model for both, the pair is one clip; with two, the later they part the nearer."""
    twins = Double(replace(method.options, match="none"))
    twins.setup(method.corpus, dict.fromkeys(("reed", "bow"), method.trained["reed"]), "cpu")
    one, other = twins.generate_pair("reed", "bow", 1, 1.5, [generator(0)])
    np.testing.assert_array_equal(one.values[0], other.values[0])

    apart = []
    for split in (0, 3, 6):
        one, other = pair(method, split=split)
        apart.append(np.abs(one.values[0] - other.values[0]).mean())
    assert apart[0] > apart[1] > apart[2] == 0


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_the_first_side_does_not_know_of_the_second(method, sampler):
    firsts = [pair(method, split=split, sampler=sampler)[0].values[0] for split in (0, 2, 6)]
    for values in firsts[1:]:
        np.testing.assert_allclose(values, firsts[0], atol=1e-6)


def test_sides_are_their_instruments_own(method):
    one, other = pair(method)
    assert one.state == method.trained["reed"].state
    assert other.state == method.trained["bow"].state


@pytest.mark.parametrize("seconds", [0.1, 0.62, 0.64, 4.0])
def test_any_length(method, seconds):
    for side in pair(method, seconds):
        frames = side.spec.frames_of(round(seconds * 16000))
        assert side.values[0].shape == (128, frames) and np.isfinite(side.values[0]).all()


def test_long_clips_do_not_repeat_a_window(method):
    values = pair(method, 4.0)[0].values[0]
    step = 32 - method.options.overlap
    first, second = values[:, 8:24], values[:, 8 + step : 24 + step]
    assert np.abs(first - second).mean() > 0.01


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpmpp"])
def test_an_item_depends_on_nothing_else_in_the_call(method, sampler):
    together = pair(method, seeds=(0, 1), sampler=sampler)
    for side, backwards in zip(together, pair(method, seeds=(1, 0), sampler=sampler), strict=True):
        for values, same in zip(side.values, backwards.values[::-1], strict=True):
            np.testing.assert_allclose(values, same, atol=2e-4)


def test_a_split_after_the_last_step_is_an_error(method):
    with pytest.raises(BenchError, match="6 steps and cannot be split at 7"):
        pair(method, split=7)


def test_contract():
    check_method(INFO, options=SMALL | {"steps": 2, "split": 1})


def test_what_the_second_takes_over_has_its_envelope(method):
    aim = torch.tensor(method.trained["bow"].state["envelope"])
    far, near = (
        torch.dist(
            envelope(torch.tensor(pair(method, seconds=3.0, split=5, match=m)[1].values[0])), aim
        )
        for m in ("none", "envelope")
    )
    assert near < far
    first, same = (pair(method, match=m)[0].values[0] for m in ("none", "envelope"))
    np.testing.assert_array_equal(first, same)  # the first goes on as it was
