"""Schedules, parameterisations and samplers against an independent implementation.

The step n of a discrete schedule of 1000, counted from 1 here and from 0 there, is the time
n / 1000.
"""

import math

import pytest
import torch

from timbrebench.methods.diffusion.parameterisation import OBJECTIVES, diffuse, target_of
from timbrebench.methods.diffusion.samplers import (
    ddim,
    ddpm,
    denoiser,
    dpmpp,
    sampler_of,
    time_grid,
)
from timbrebench.methods.diffusion.schedules import Cosine, LinearBeta, ZeroTerminal

diffusers = pytest.importorskip("diffusers")

T = 1000
THEIR = {"noise": "epsilon", "v": "v_prediction", "x0": "sample"}
OURS = {"timestep_spacing": "trailing", "clip_sample": False}  # what they do if told so


def alpha_bar(schedule, steps=T):
    """ᾱ of the steps 1 … [steps], float64."""
    return schedule(torch.arange(1, steps + 1, dtype=torch.float64) / steps)[0] ** 2


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network_of(objective):
    """(x [B, n], level [B]) → what a network that expects x₀ = 0.7·tanh(2·x_t) would answer."""

    def network(x, level):
        angle = level[:, None] * math.pi / 2
        alpha, sigma = angle.cos(), angle.sin()
        x0 = 0.7 * (2 * x).tanh()
        eps = (x - alpha * x0) / sigma
        return {"x0": x0, "noise": eps, "v": alpha * eps - sigma * x0}[objective]

    return network


def level_at(n, schedule, x):
    """The level [B] of their step n."""
    alpha, sigma = schedule((n.double() + 1) / T)
    return (torch.atan2(sigma, alpha) * 2 / math.pi).expand(len(x))


def theirs_of(scheduler, network, schedule, x, steps, **arguments):
    """Their loop over their timesteps, with our network."""
    scheduler.set_timesteps(steps)
    for n in scheduler.timesteps:
        answer = network(x, level_at(n, schedule, x))
        x = scheduler.step(answer, n, x, **arguments).prev_sample
    return x


def ours_of(sampler, network, schedule, objective, x, steps, seed=0, clamp=None):
    """The same by our sampler, whose fresh noise is that of a generator with the seed."""
    generator = torch.Generator().manual_seed(seed)

    def draw():
        return torch.randn(x.shape, generator=generator, dtype=x.dtype)

    denoise = denoiser(network, schedule, objective, clamp=clamp)
    return sampler(denoise, schedule, x, time_grid(steps), draw)


def assert_same(made, theirs):
    torch.testing.assert_close(made, theirs, atol=1e-5, rtol=0)


# ---------------------------------------------------------------------------- schedules


def test_linear_beta():
    theirs = diffusers.DDPMScheduler(T, beta_schedule="linear").alphas_cumprod
    torch.testing.assert_close(alpha_bar(LinearBeta(T)), theirs.double(), atol=0, rtol=1e-4)


def test_cosine():
    """Theirs caps the last β at 0.999; ours ends in no signal."""
    theirs = diffusers.DDPMScheduler(T, beta_schedule="squaredcos_cap_v2").alphas_cumprod
    ours = alpha_bar(Cosine())
    torch.testing.assert_close(ours[:-1], theirs[:-1].double(), atol=1e-6, rtol=1e-4)
    capped = alpha_bar(Cosine(smallest=math.sqrt(1e-3 * float(ours[-2]))))
    torch.testing.assert_close(capped, theirs.double(), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("steps", [200, T])
def test_zero_terminal_snr(steps):
    scheduler = diffusers.DDIMScheduler(steps, rescale_betas_zero_snr=True)
    ours = alpha_bar(ZeroTerminal(LinearBeta(steps), kept=1 / steps), steps)
    torch.testing.assert_close(ours, scheduler.alphas_cumprod.double(), atol=1e-6, rtol=1e-4)
    assert ours[-1] == 0 == scheduler.alphas_cumprod[-1]


# ---------------------------------------------------------------------------- parameterisations


def test_noising_and_velocity():
    scheduler, x0, eps = diffusers.DDPMScheduler(T), noise(5, 3), noise(5, 3, seed=1)
    n = torch.tensor([0, 10, 300, 700, 999])
    alpha, sigma = (rate[:, None] for rate in LinearBeta(T)((n.double() + 1) / T))
    assert_same(diffuse(x0, eps, alpha, sigma), scheduler.add_noise(x0, eps, n))
    assert_same(target_of("v", x0, eps, alpha, sigma), scheduler.get_velocity(x0, eps, n))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_x0_of_an_answer(objective):
    scheduler = diffusers.DDIMScheduler(T, prediction_type=THEIR[objective], clip_sample=False)
    scheduler.set_timesteps(T)
    schedule, x, answer = LinearBeta(T), noise(2, 3), noise(2, 3, seed=1)
    for n in (20, 400, 700):
        t = torch.tensor((n + 1) / T, dtype=torch.float64)
        made = denoiser(lambda x, level: answer, schedule, objective, clamp=None)(x, t)
        assert_same(made, scheduler.step(answer, n, x).pred_original_sample)


# ---------------------------------------------------------------------------- samplers


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("steps", [10, 50])
def test_ddim(objective, steps):
    network, schedule, x = network_of(objective), LinearBeta(T), noise(2, 50)
    scheduler = diffusers.DDIMScheduler(T, prediction_type=THEIR[objective], **OURS)
    theirs = theirs_of(scheduler, network, schedule, x, steps)
    assert_same(ours_of(ddim, network, schedule, objective, x, steps), theirs)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_ddim_with_fresh_noise(objective, eta):
    network, schedule, x = network_of(objective), LinearBeta(T), noise(2, 50)
    scheduler = diffusers.DDIMScheduler(T, prediction_type=THEIR[objective], **OURS)
    seeded = {"eta": eta, "generator": torch.Generator().manual_seed(7)}
    theirs = theirs_of(scheduler, network, schedule, x, 20, **seeded)
    ours = ours_of(sampler_of("ddim", eta), network, schedule, objective, x, 20, seed=7)
    assert_same(ours, theirs)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("steps", [10, 100])
def test_ddpm(objective, steps):
    network, schedule, x = network_of(objective), LinearBeta(T), noise(2, 50)
    scheduler = diffusers.DDPMScheduler(T, prediction_type=THEIR[objective], **OURS)
    seeded = {"generator": torch.Generator().manual_seed(7)}
    theirs = theirs_of(scheduler, network, schedule, x, steps, **seeded)
    assert_same(ours_of(ddpm, network, schedule, objective, x, steps, seed=7), theirs)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("steps", [10, 20, 50])
def test_dpmpp(objective, steps):
    network, schedule, x = network_of(objective), LinearBeta(T), noise(2, 50)
    scheduler = diffusers.DPMSolverMultistepScheduler(
        T,
        prediction_type=THEIR[objective],
        algorithm_type="dpmsolver++",
        solver_order=2,
        timestep_spacing="trailing",
    )
    theirs = theirs_of(scheduler, network, schedule, x, steps)
    assert_same(ours_of(dpmpp, network, schedule, objective, x, steps), theirs)


def test_ddim_from_no_signal_at_all():
    """Lin et al.'s remedy: the rescaled schedule, v-prediction, steps from the very last."""
    network, schedule, x = network_of("v"), ZeroTerminal(LinearBeta(T)), noise(2, 50)
    scheduler = diffusers.DDIMScheduler(
        T, prediction_type="v_prediction", rescale_betas_zero_snr=True, **OURS
    )
    theirs = theirs_of(scheduler, network, schedule, x, 10)
    assert_same(ours_of(ddim, network, schedule, "v", x, 10), theirs)


def test_a_clamped_x0_tells_the_noise_anew():
    network, schedule, x = network_of("noise"), LinearBeta(T), noise(2, 50)
    kind = OURS | {"clip_sample": True, "clip_sample_range": 0.5}
    told = {"use_clipped_model_output": True}
    theirs = theirs_of(diffusers.DDIMScheduler(T, **kind), network, schedule, x, 20, **told)
    assert_same(ours_of(ddim, network, schedule, "noise", x, 20, clamp=0.5), theirs)
    assert float(theirs.abs().max()) == 0.5

    seeded = {"generator": torch.Generator().manual_seed(7)}
    theirs = theirs_of(diffusers.DDPMScheduler(T, **kind), network, schedule, x, 20, **seeded)
    assert_same(ours_of(ddpm, network, schedule, "noise", x, 20, seed=7, clamp=0.5), theirs)


def test_ddim_inversion():
    """Their inverse scheduler is told the step that it goes to; a network, the level of x."""
    network, schedule, steps = network_of("noise"), LinearBeta(T), 20
    scheduler = diffusers.DDIMInverseScheduler(T, **OURS)
    scheduler.set_timesteps(steps)
    x = theirs = 0.5 * noise(2, 50)
    for n in scheduler.timesteps[1:]:
        answer = network(theirs, level_at(n - T // steps, schedule, x))
        theirs = scheduler.step(answer, n, theirs).prev_sample
    denoise = denoiser(network, schedule, "noise", clamp=None)
    assert_same(ddim(denoise, schedule, x, time_grid(steps, 0.0, 1.0)[1:]), theirs)
