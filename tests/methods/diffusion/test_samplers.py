"""Samplers against what is known exactly: data whose score has a closed form."""

import math

import pytest
import torch

from timbrebench.methods.diffusion.parameterisation import OBJECTIVES, target_of, to_noise
from timbrebench.methods.diffusion.samplers import (
    SAMPLERS,
    ddim,
    ddpm,
    denoiser,
    dpmpp,
    time_grid,
)
from timbrebench.methods.diffusion.schedules import Cosine, CosineAngle, LinearBeta, Shifted

MEAN, DEVIATION = 0.7, 0.25  # of Gaussian data
CENTRES, WIDTH = torch.tensor([-0.8, 0.1, 0.9], dtype=torch.float64), 0.05  # of a mixture


def gaussian(schedule):
    """E[x₀ | x_t] for data from N(MEAN, DEVIATION²)."""

    def denoise(x, t):
        alpha, sigma = schedule(t)
        gain = alpha * DEVIATION**2 / (alpha**2 * DEVIATION**2 + sigma**2)
        return MEAN + gain * (x - alpha * MEAN)

    return denoise


def mixture(schedule):
    """E[x₀ | x_t] for an even mixture of N(centre, WIDTH²)."""

    def denoise(x, t):
        alpha, sigma = schedule(t)
        variance = alpha**2 * WIDTH**2 + sigma**2
        distance = x[..., None] - alpha * CENTRES
        chance = torch.softmax(-(distance**2) / (2 * variance), dim=-1)
        return (chance * (CENTRES + alpha * WIDTH**2 / variance * distance)).sum(-1)

    return denoise


def flow(schedule, x, start, stop):
    """Where the probability flow takes x: a Gaussian keeps its standardised value."""

    def moments(t):
        alpha, sigma = schedule(torch.tensor(t, dtype=torch.float64))
        return alpha * MEAN, (alpha**2 * DEVIATION**2 + sigma**2).sqrt()

    (mean, deviation), (mean_to, deviation_to) = moments(start), moments(stop)
    return mean_to + deviation_to * (x - mean) / deviation


def noise(count=5000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("sampler", SAMPLERS.values())
@pytest.mark.parametrize("schedule", [CosineAngle(), LinearBeta(1000)], ids=repr)
def test_gaussian_data_is_sampled(sampler, schedule):
    generator = torch.Generator().manual_seed(1)

    def draw():
        return torch.randn(5000, generator=generator, dtype=torch.float64)

    made = sampler(gaussian(schedule), schedule, noise(), time_grid(1000), draw)
    assert float(made.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(made.std()) == pytest.approx(DEVIATION, rel=0.03)


@pytest.mark.parametrize("sampler", SAMPLERS.values())
def test_mixture_is_sampled_in_its_shares(sampler):
    generator = torch.Generator().manual_seed(1)

    def draw():
        return torch.randn(5000, generator=generator, dtype=torch.float64)

    schedule = CosineAngle()
    made = sampler(mixture(schedule), schedule, noise(), time_grid(1000), draw)
    nearest = (made[:, None] - CENTRES).abs().argmin(dim=1)
    shares = torch.bincount(nearest, minlength=3) / len(made)
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3), atol=0.02, rtol=0)
    spread = (made - CENTRES[nearest]).std()
    assert float(spread) == pytest.approx(WIDTH, rel=0.1)


@pytest.mark.parametrize(("sampler", "order"), [(ddim, 1), (dpmpp, 2)])
def test_order_of_convergence(sampler, order):
    schedule, x, start, stop = CosineAngle(), noise(64), 0.9, 0.1
    exact = flow(schedule, x, start, stop)

    def error(steps):
        made = sampler(gaussian(schedule), schedule, x, time_grid(steps, start, stop))
        return float((made - exact).abs().max())

    measured = math.log2(error(256) / error(512))
    assert measured == pytest.approx(order, abs=0.15)


def test_dpmpp_is_closer_than_ddim_at_ten_steps():
    schedule, x = CosineAngle(), noise(64)
    exact = flow(schedule, x, 1.0, 0.1)
    grid = time_grid(10, 1.0, 0.1)
    near, far = (
        float((sampler(gaussian(schedule), schedule, x, grid) - exact).abs().max())
        for sampler in (dpmpp, ddim)
    )
    assert near < far / 2


def test_ddim_with_rising_times_inverts():
    schedule, x = CosineAngle(), noise(64) * DEVIATION + MEAN
    there = ddim(gaussian(schedule), schedule, x, time_grid(400, 0.02, 0.9))
    back = ddim(gaussian(schedule), schedule, there, time_grid(400, 0.9, 0.02))
    torch.testing.assert_close(back, x, atol=0.01, rtol=0)


def test_a_way_may_be_walked_in_two_parts():
    schedule, x = CosineAngle(), noise(64)
    whole = time_grid(20)
    half = ddim(mixture(schedule), schedule, x, whole[:11])
    done = ddim(mixture(schedule), schedule, half, whole[10:])
    torch.testing.assert_close(done, ddim(mixture(schedule), schedule, x, whole))


def test_ddpm_step_has_the_mean_and_variance_of_ho_et_al():
    schedule, x = LinearBeta(1000), torch.tensor([0.3], dtype=torch.float64)
    n = 400
    t, s = (torch.tensor(i / 1000, dtype=torch.float64) for i in (n, n - 1))
    (alpha_t, _), (alpha_s, _) = schedule(t), schedule(s)
    bar_t, bar_s = alpha_t**2, alpha_s**2
    beta = 1 - bar_t / bar_s
    x0 = gaussian(schedule)(x, t)
    mean = (bar_s.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - bar_s) * x) / (1 - bar_t)
    deviation = ((1 - bar_s) / (1 - bar_t) * beta).sqrt()
    still = ddpm(gaussian(schedule), schedule, x, torch.stack([t, s]), lambda: torch.zeros(1))
    moved = ddpm(gaussian(schedule), schedule, x, torch.stack([t, s]), lambda: torch.ones(1))
    torch.testing.assert_close(still, mean)
    torch.testing.assert_close(moved - still, deviation[None])


@pytest.mark.parametrize("sampler", SAMPLERS.values())
@pytest.mark.parametrize("schedule", [CosineAngle(), Cosine(), Shifted(CosineAngle(), 8.0)])
def test_nothing_but_noise_is_a_good_start(sampler, schedule):
    made = sampler(gaussian(schedule), schedule, noise(100), time_grid(5), lambda: noise(100, 1))
    assert made.isfinite().all()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_denoiser_undoes_the_parameterisation(objective):
    schedule = CosineAngle(0.95, 0.02)

    def network(x, level):
        alpha, sigma = torch.cos(level * math.pi / 2)[0], torch.sin(level * math.pi / 2)[0]
        x0 = 0.5 * torch.ones_like(x)
        return target_of(objective, x0, to_noise(x0, x, alpha, sigma), alpha, sigma)

    denoise = denoiser(network, schedule, objective)
    made = ddim(denoise, schedule, noise(8)[:, None], time_grid(4))
    torch.testing.assert_close(made, torch.full_like(made, 0.5), atol=1e-5, rtol=0)


def test_denoiser_clamps_unless_told_not_to():
    def network(x, level):
        return torch.full_like(x, 3.0)

    schedule, x, t = CosineAngle(), torch.zeros(2, 1), torch.tensor(0.5)
    assert (denoiser(network, schedule, "x0")(x, t) == 1).all()
    assert (denoiser(network, schedule, "x0", clamp=None)(x, t) == 3).all()
