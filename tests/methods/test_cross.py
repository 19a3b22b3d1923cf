from dataclasses import replace

import numpy as np
import pytest
import torch

from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import StageContext, Trained
from timbrebench.core.mel import log_mel, normalise
from timbrebench.core.options import build, describe, resolve
from timbrebench.core.records import Clip, Task
from timbrebench.core.seeds import generator
from timbrebench.core.training import TrainPlan, train
from timbrebench.methods.cross.model import DEFAULT_K, Cross, times_of
from timbrebench.methods.cross.plugin import INFO, Options
from timbrebench.methods.diffusion.envelope import envelope
from timbrebench.methods.diffusion.instrument import gain_to, schedule_of
from timbrebench.methods.diffusion.samplers import ddim, denoiser, time_grid
from timbrebench.testing import check_method
from timbrebench.testing.corpus import tiny_corpus

SMALL = {
    "objective": "v",  # of which a network that has learned little yet leaves a clean clip alone
    "widths": (8, 16),
    "patch": 8,
    "batch": 4,
    "steps": 10,
    "frames": 32,
    "overlap": 8,
}
TASK = Task("transfer", "bow", "bell")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return tiny_corpus(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """Models of both instruments, trained for a moment."""
    found = {}
    for stage in Cross(Options(**SMALL, start="inversion")).stages(corpus, [TASK]):
        folder = tmp_path_factory.mktemp(stage.name)
        stage.recipe = replace(stage.recipe, valid_examples=0)
        context = StageContext(corpus, {}, "cpu", lambda what, share: None)
        train(stage, context, TrainPlan(60, 0, corpus.fingerprint), folder, lambda event: None)
        found[stage.name] = loaded(stage, folder)
    return found


def loaded(stage, folder):
    from safetensors.torch import load_file

    module = stage.build()
    module.load_state_dict(load_file(folder / "model.safetensors"))
    return Trained(module.eval(), stage.state)


def crossed(corpus, trained, clips, **options):
    method = Cross(Options(**SMALL | options))
    method.stages(corpus, [TASK])
    method.setup(corpus, trained, "cpu")
    rngs = [generator("item", clip.track) for clip in clips]
    return method.transfer(clips, TASK, [[]] * len(clips), rngs)


def sources(corpus):
    clips = [
        corpus.load(t.id, "bow", 16000) for t in corpus.tracks_of("test", *TASK.name.split(":"))
    ]
    return [replace(clips[0], samples=clips[0].samples[:50000]), clips[1]]


def as_seen(clip, state, spec):
    """The normalised mel that the target's model is given."""
    gain = gain_to(state, log_mel(clip.samples, spec).numpy(), spec)
    return normalise(log_mel(clip.samples * gain, spec).numpy(), state)


# ---------------------------------------------------------------------------- both ends


@pytest.mark.parametrize("start", ["noise", "inversion"])
def test_without_forward_steps_the_source_comes_back(corpus, trained, start):
    clips = sources(corpus)
    made = crossed(corpus, trained, clips, k=0, start=start)
    for clip, values in zip(clips, made.values, strict=True):
        seen = as_seen(clip, made.state, made.spec)
        np.testing.assert_allclose(values, seen, atol=1e-5)


def test_small_k_stays_nearer_to_the_source_than_large_k(corpus, trained):
    clips = sources(corpus)
    distances = []
    for k in (0, 50, 200, 400):
        made = crossed(corpus, trained, clips, k=k)
        seen = [as_seen(clip, made.state, made.spec) for clip in clips]
        pairs = zip(made.values, seen, strict=True)
        distances.append(np.mean([np.abs(a - b).mean() for a, b in pairs]))
    assert distances == sorted(distances) and distances[1] < 0.5 * distances[3]


def test_after_all_forward_steps_it_is_what_the_model_makes_of_noise(corpus, trained):
    clips = sources(corpus)
    silent = [replace(clip, samples=np.zeros_like(clip.samples)) for clip in clips]
    made, other = (crossed(corpus, trained, c, k=500, sampler="ddim") for c in (clips, silent))
    for one, same in zip(made.values, other.values, strict=True):
        np.testing.assert_allclose(one, same, atol=1e-4)  # nothing of the source is left

    options, rng = Options(**SMALL), generator("item", clips[0].track)
    noise = np.random.default_rng(int(rng.integers(2**63)))
    x = torch.from_numpy(noise.standard_normal((1, 1, 128, 32), dtype=np.float32))
    schedule = schedule_of(options)
    with torch.inference_mode():
        denoise = denoiser(trained["bell"].module, schedule, options.objective)
        generated = ddim(denoise, schedule, x, time_grid(10))
    np.testing.assert_allclose(made.values[0][:, :24], generated[0, 0, :, :24], atol=1e-4)


def test_the_envelope_is_led_to_the_targets_as_far_as_there_is_noise(corpus, trained):
    clips = sources(corpus)
    fitted, plain = (crossed(corpus, trained, clips, k=250, match=m) for m in ("envelope", "level"))
    aim = torch.tensor(fitted.state["envelope"])
    assert aim.shape == (128,) and 0 <= aim.min() < aim.max() <= 1
    for one, other in zip(fitted.values, plain.values, strict=True):
        far, near = (torch.dist(envelope(torch.tensor(v)), aim) for v in (other, one))
        assert near < far


# ---------------------------------------------------------------------------- k and s


def test_denoising_begins_where_the_noise_ends_unless_s_is_given():
    assert DEFAULT_K == 250
    for k, steps, count in ((100, 50, 10), (250, 50, 25), (500, 50, 50), (230, 10, 5), (50, 4, 1)):
        times = times_of(Options(k=k, steps=steps))
        assert float(times[0]) == pytest.approx(k / 500) and float(times[-1]) == 0
        assert len(times) == count + 1
    assert times_of(Options(k=0)).tolist() == [0]
    published = times_of(Options(k=100, s=0))
    assert float(published[0]) == 1 and len(published) == 51
    assert len(times_of(Options(k=100, s=40))) == 11
    with pytest.raises(BenchError, match="step 20 of 10"):
        times_of(Options(k=0, s=20, steps=10))


def test_options_are_read_when_a_task_is_done(corpus, trained):
    clips = sources(corpus)[:1]
    method = Cross(Options(**SMALL))
    method.setup(corpus, trained, "cpu")
    values = []
    for k in (0, 300):
        method.options = replace(method.options, k=k)
        values.append(method.transfer(clips, TASK, [[]], [generator(0)]).values[0])
    np.testing.assert_array_equal(values[0], crossed(corpus, trained, clips, k=0).values[0])
    assert np.abs(values[1] - values[0]).mean() > 0.01


def test_the_start_step_acts_beside_k(corpus, trained):
    clips = sources(corpus)[:1]
    matched, early = (crossed(corpus, trained, clips, k=200, s=s).values[0] for s in (6, 2))
    np.testing.assert_allclose(matched, crossed(corpus, trained, clips, k=200).values[0], atol=1e-5)
    assert np.abs(matched - early).mean() > 0.01


# ---------------------------------------------------------------------------- items


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpmpp"])
@pytest.mark.parametrize("start", ["noise", "inversion"])
def test_an_item_depends_on_nothing_else_in_the_call(corpus, trained, sampler, start):
    clips, given = sources(corpus), {"sampler": sampler, "start": start, "k": 250}
    together = crossed(corpus, trained, clips, **given).values
    backwards = crossed(corpus, trained, clips[::-1], **given).values[::-1]
    alone = [crossed(corpus, trained, [clip], **given).values[0] for clip in clips]
    for values in zip(together, backwards, alone, strict=True):
        assert all(np.ptp([v, values[0]], axis=0).max() < 2e-4 for v in values)


def test_a_quieter_source_gives_the_same(corpus, trained):
    clip = sources(corpus)[0]
    quiet = replace(clip, samples=clip.samples * 0.05)
    loud, soft = (crossed(corpus, trained, [c], k=100).values[0] for c in (clip, quiet))
    assert np.abs(loud - soft).mean() < 1e-3


# ---------------------------------------------------------------------------- contract


@pytest.mark.parametrize("start", ["noise", "inversion"])
def test_contract(start):
    check_method(INFO, options=SMALL | {"steps": 2, "k": 250, "start": start})


def test_contract_of_the_published_variant():
    pytest.importorskip("diffusers")
    small = {"widths": (32, 32, 32, 32), "blocks": 1, "batch": 2, "steps": 1, "frames": 64}
    check_method(INFO, options={"variant": "published", "objective": "noise"} | small)


def test_inversion_trains_a_model_of_the_source_too(corpus):
    def names(**options):
        return [s.name for s in Cross(Options(**options)).stages(corpus, [TASK])]

    assert names() == ["bell"] and names(start="inversion") == ["bell", "bow"]


def test_the_paper_preset_makes_five_seconds_at_once():
    values = resolve("cross", describe(Options), INFO.presets, {}, "paper")
    options = build(Options, values)
    assert (options.mel, options.frames, options.steps) == ("audio_diffusion", 216, 50)
    assert Cross(options).spec.rate == 22050


def test_silence_and_short_clips_are_handled(corpus, trained):
    for samples in (np.zeros(16000, np.float32), np.ones(800, np.float32)):
        values = crossed(corpus, trained, [Clip(samples, 16000, "bow", "x")], k=200).values[0]
        assert values.shape == (128, 1 + len(samples) // 320) and np.isfinite(values).all()


def test_a_crop_shorter_than_two_overlaps(corpus):
    """The overlap is at most half of a slice."""
    options = Options(widths=(8, 8), patch=8, frames=32, steps=2, k=250)
    (stage,) = Cross(options).stages(corpus, [Task("transfer", "bell", "bow")])
    assert stage.frames // 2 < options.overlap
    check_method(INFO, options={"widths": (8, 8), "patch": 8, "frames": 32, "steps": 2})


def test_a_start_after_the_last_step_is_refused_before_training(corpus):
    with pytest.raises(BenchError, match="cannot start at step 60 of 50"):
        Cross(Options(s=60)).stages(corpus, [Task("transfer", "bell", "bow")])
