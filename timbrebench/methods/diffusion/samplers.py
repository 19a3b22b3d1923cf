"""From noise to data. Every sampler has one signature:

    sample(denoise, schedule, x, times, draw) → x

``denoise(x_t, t)`` gives the expected x₀ for a scalar t; ``times`` [N + 1] says where to stop on
the way, from the time of ``x`` to the time of what is returned; ``draw()`` gives fresh noise of
a shape that fits x, where a sampler needs it. A way that ends at t = 0 returns the last x₀.
Legend: D is the denoised x₀; α, σ signal and noise rate; s the next time; λ = log(α/σ).
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from timbrebench.core.errors import BenchError
from timbrebench.methods.diffusion.parameterisation import to_noise, to_x0
from timbrebench.methods.diffusion.schedules import Schedule, level_of

Denoise = Callable[[Tensor, Tensor], Tensor]
Draw = Callable[[], Tensor]
Network = Callable[[Tensor, Tensor], Tensor]
Sampler = Callable[[Denoise, Schedule, Tensor, Tensor, Draw | None], Tensor]


def denoiser(
    network: Network, schedule: Schedule, objective: str, clamp: float | None = 1.0
) -> Denoise:
    """``network(x_t [B, …], level [B])`` as a function that gives x₀, kept within ±``clamp``."""

    def denoise(x_t: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = schedule(t)
        level = level_of(alpha, sigma).to(x_t).expand(len(x_t))
        x0 = to_x0(objective, network(x_t, level), x_t, alpha, sigma)
        return x0 if clamp is None else x0.clamp(-clamp, clamp)

    return denoise


def time_grid(steps: int, start: float = 1.0, stop: float = 0.0) -> Tensor:
    """[steps + 1] evenly spaced times from ``start`` to ``stop``."""
    return torch.linspace(start, stop, steps + 1, dtype=torch.float64)


def ddim(
    denoise: Denoise,
    schedule: Schedule,
    x: Tensor,
    times: Tensor,
    draw: Draw | None = None,
    *,
    eta: float = 0.0,
) -> Tensor:
    """Song et al. 2021, eq. 12. η = 0 is deterministic (and, with rising times, the inversion);
    η = 1 is DDPM."""
    for t, s in pairwise(times):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule(t), schedule(s)
        D = denoise(x, t)
        if s == 0:
            return D
        noise = to_noise(D, x, alpha_t, sigma_t)
        fresh = eta * sigma_s / sigma_t * (1 - (alpha_t / alpha_s) ** 2).clamp(min=0).sqrt()
        x = alpha_s * D + (sigma_s**2 - fresh**2).sqrt() * noise
        if draw is not None and eta > 0:
            x = x + fresh * draw()
    return x


def ddpm(
    denoise: Denoise, schedule: Schedule, x: Tensor, times: Tensor, draw: Draw | None = None
) -> Tensor:
    """Ho et al. 2020, algorithm 2, on any times."""
    return ddim(denoise, schedule, x, times, draw, eta=1.0)


def dpmpp(
    denoise: Denoise, schedule: Schedule, x: Tensor, times: Tensor, draw: Draw | None = None
) -> Tensor:
    """DPM-Solver++(2M), Lu et al. 2022, algorithm 2: second order at one call a step."""
    D_before, h_before = x, math.inf
    for t, s in pairwise(times):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule(t), schedule(s)
        D = denoise(x, t)
        if s == 0:
            return D
        h = float((alpha_s / sigma_s).log() - (alpha_t / sigma_t).log())  # λ_s − λ_t
        c = h / (2 * h_before) if math.isfinite(h) else 0.0  # 1 / 2r; the first step: order 1
        mixed = (1 + c) * D - c * D_before
        x = sigma_s / sigma_t * x + (alpha_s - alpha_t * sigma_s / sigma_t) * mixed
        D_before, h_before = D, h
    return x


SAMPLERS = {"ddim": ddim, "ddpm": ddpm, "dpmpp": dpmpp}


def sampler_of(name: str, eta: float = 0.0) -> Sampler:
    """The sampler of a name; η, the share of fresh noise, is an option of ``ddim`` alone."""
    if eta == 0:
        return SAMPLERS[name]
    if name != "ddim":
        raise BenchError(
            f"The sampler {name} has no eta, which is {eta:g}.",
            hint="Set sampler=ddim, or leave eta at 0.",
        )
    return partial(ddim, eta=eta)
