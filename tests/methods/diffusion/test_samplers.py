"""Samplers against what is known exactly: data whose score has a closed form."""

import math
from itertools import pairwise

import pytest
import torch

from timbrebench.core.errors import BenchError
from timbrebench.methods.diffusion.parameterisation import OBJECTIVES, target_of, to_noise
from timbrebench.methods.diffusion.samplers import (
    SAMPLERS,
    ddim,
    ddpm,
    denoiser,
    dpmpp,
    sampler_of,
    time_grid,
)
from timbrebench.methods.diffusion.schedules import (
    Cosine,
    CosineAngle,
    LinearBeta,
    Shifted,
    ZeroTerminal,
)

MEAN, DEVIATION = 0.7, 0.25  # of Gaussian data
# An uneven mixture of three Gaussians, each [3, 1] for x [n]:
CENTRES, WIDTHS, SHARES = torch.tensor(
    [[-0.8, 0.1, 0.9], [0.05, 0.1, 0.05], [0.5, 0.2, 0.3]], dtype=torch.float64
)[..., None]
EVERY = {**SAMPLERS, "ddim, η = 0.5": sampler_of("ddim", 0.5)}


def gaussian(schedule):
    """E[x₀ | x_t] for data from N(MEAN, DEVIATION²)."""

    def denoise(x, t):
        alpha, sigma = schedule(t)
        gain = alpha * DEVIATION**2 / (alpha**2 * DEVIATION**2 + sigma**2)
        return MEAN + gain * (x - alpha * MEAN)

    return denoise


def mixture(schedule):
    """E[x₀ | x_t] for data from the mixture."""

    def denoise(x, t):
        alpha, sigma = schedule(t)
        variance = alpha**2 * WIDTHS**2 + sigma**2
        distance = x - alpha * CENTRES  # [3, n]
        chance = torch.softmax((SHARES / variance.sqrt()).log() - distance**2 / (2 * variance), 0)
        return (chance * (CENTRES + alpha * WIDTHS**2 / variance * distance)).sum(0)

    return denoise


def cdf(schedule, x, t):
    """P(x_t < x) for data from the mixture."""
    alpha, sigma = schedule(torch.tensor(t, dtype=torch.float64))
    deviations = (alpha**2 * WIDTHS**2 + sigma**2).sqrt()
    return (SHARES * torch.special.ndtr((x - alpha * CENTRES) / deviations)).sum(0)


def quantiles(schedule, p, t):
    """The x of which cdf is p, by bisection."""
    low, high = torch.full_like(p, -9.0), torch.full_like(p, 9.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = cdf(schedule, middle, t) < p
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return middle


def flow(schedule, x, start, stop):
    """Where the probability flow takes x. In one dimension no way crosses another: a point keeps
    its quantile."""
    return quantiles(schedule, cdf(schedule, x, start), stop)


def noise(count=5000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, generator=generator, dtype=torch.float64)


def even(count):
    """[count] midpoints of even shares of 0 … 1, float64."""
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count


def draws(count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(count, generator=generator, dtype=torch.float64)


def distance_to_mixture(made):
    """Wasserstein-1 distance of a sample from the mixture."""
    schedule = CosineAngle()
    return float((made.sort().values - quantiles(schedule, even(len(made)), 0.0)).abs().mean())


@pytest.mark.parametrize("sampler", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("schedule", [CosineAngle(), LinearBeta(1000)], ids=repr)
def test_gaussian_data_is_sampled(sampler, schedule):
    made = sampler(gaussian(schedule), schedule, noise(), time_grid(1000), draws(5000))
    assert float(made.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(made.std()) == pytest.approx(DEVIATION, rel=0.03)


@pytest.mark.parametrize("sampler", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("schedule", [CosineAngle(), ZeroTerminal(LinearBeta(1000))], ids=repr)
def test_mixture_is_sampled(sampler, schedule):
    """Equal shares would be 0.1 away, parts without width 0.05."""
    x = torch.special.ndtri(even(4000))
    made = sampler(mixture(schedule), schedule, x, time_grid(200), draws(4000))
    assert distance_to_mixture(made) < 0.02


def test_ten_steps_are_enough():
    schedule, x = CosineAngle(), torch.special.ndtri(even(4000))
    made = {
        name: sampler(mixture(schedule), schedule, x, time_grid(10), draws(4000))
        for name, sampler in SAMPLERS.items()
    }
    far = {name: distance_to_mixture(sample) for name, sample in made.items()}
    assert far["dpmpp"] < 0.03 and max(far.values()) < 0.07


@pytest.mark.parametrize(("sampler", "order"), [(ddim, 1), (dpmpp, 2)])
@pytest.mark.parametrize("schedule", [CosineAngle(), ZeroTerminal(LinearBeta(1000))], ids=repr)
def test_order_of_convergence(sampler, order, schedule):
    """Halving the steps divides the error along the flow of the mixture by 2^order."""
    start, stop = 0.8, 0.1
    x = quantiles(schedule, even(64), start)
    exact = flow(schedule, x, start, stop)

    def error(steps):
        made = sampler(mixture(schedule), schedule, x, time_grid(steps, start, stop))
        return float((made - exact).abs().mean())

    errors = [error(steps) for steps in (75, 150, 300)]
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_weak_order_of_convergence(eta):
    """For Gaussian data around 0 a sampler is linear in all the noise that it takes. With basis
    vectors for noise, the length of what comes out is its standard deviation, exactly."""
    schedule, start, stop = CosineAngle(), 0.9, 0.1

    def denoise(x, t):
        alpha, sigma = schedule(t)
        return alpha * DEVIATION**2 / (alpha**2 * DEVIATION**2 + sigma**2) * x

    def deviation(t):
        alpha, sigma = schedule(torch.tensor(t, dtype=torch.float64))
        return float((alpha**2 * DEVIATION**2 + sigma**2).sqrt())

    def error(steps):
        first, *others = torch.eye(steps + 1, dtype=torch.float64)
        draw = iter(others).__next__
        times = time_grid(steps, start, stop)
        made = sampler_of("ddim", eta)(denoise, schedule, deviation(start) * first, times, draw)
        return abs(float(made.norm()) - deviation(stop))

    errors = [error(steps) for steps in (50, 100, 200)]
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(1, abs=0.1)


def test_dpmpp_is_closer_than_ddim_at_ten_steps():
    schedule, x = CosineAngle(), noise(64)
    exact = flow(schedule, x, 1.0, 0.1)
    grid = time_grid(10, 1.0, 0.1)
    near, far = (
        float((sampler(mixture(schedule), schedule, x, grid) - exact).abs().mean())
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
@pytest.mark.parametrize(
    "schedule",
    [CosineAngle(), Cosine(), Shifted(CosineAngle(), 8.0), ZeroTerminal(LinearBeta(1000))],
    ids=repr,
)
def test_nothing_but_noise_is_a_good_start(sampler, schedule):
    made = sampler(gaussian(schedule), schedule, noise(100), time_grid(5), lambda: noise(100, 1))
    assert made.isfinite().all()


def test_eta_belongs_to_ddim():
    assert sampler_of("dpmpp") is dpmpp and sampler_of("ddim") is ddim
    with pytest.raises(BenchError, match="dpmpp has no eta") as raised:
        sampler_of("dpmpp", 0.5)
    assert "sampler=ddim" in raised.value.hint


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
