"""How much signal and how much noise there is at a time t in [0, 1].

A schedule is a function t [B] → (α, σ), each [B]: the signal rate, falling, and the noise rate,
rising, with α² + σ² = 1 (variance preserving).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Schedule = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class CosineAngle:
    """The angle whose cosine is the signal rate grows evenly from ``first`` to ``last``.

    (1, 0) is the cosine schedule that ends in pure noise (zero terminal SNR, Lin et al. 2024);
    (0.95, 0.02) is the one of the Keras DDIM example, which DiffTransfer uses.
    """

    first: float = 1.0  # signal rate at t = 0
    last: float = 0.0  # signal rate at t = 1

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        begin, end = math.acos(self.first), math.acos(self.last)
        angle = begin + t * (end - begin)
        return angle.cos().clamp(min=0.0), angle.sin()


@dataclass(frozen=True)
class Cosine:
    """Nichol & Dhariwal 2021, eq. 17: ᾱ(t) = f(t) / f(0), f(t) = cos²(π/2·(t + s)/(1 + s)).

    ``smallest`` keeps the signal rate above 0, as their limit on β does.
    """

    offset: float = 0.008  # s
    smallest: float = 0.0

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        def f(time: Tensor) -> Tensor:
            return torch.cos(math.pi / 2 * (time + self.offset) / (1 + self.offset))

        alpha = (f(t) / f(torch.zeros_like(t))).clamp(min=self.smallest)
        return alpha, (1 - alpha.square()).clamp(min=0.0).sqrt()


@dataclass(frozen=True)
class LinearBeta:
    """Ho et al. 2020: ``steps`` noise variances β evenly spaced; ᾱ_n = Π (1 − β_i).

    t = n / steps is the discrete step n (counted from 1); log ᾱ is linear in between.
    """

    steps: int = 1000
    first: float = 1e-4  # β_1
    last: float = 0.02  # β_steps

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        beta = torch.linspace(self.first, self.last, self.steps, dtype=t.dtype, device=t.device)
        log_alpha_bar = torch.cat([beta.new_zeros(1), torch.log1p(-beta).cumsum(0)])  # [steps + 1]
        position = t * self.steps
        below = position.floor().clamp(0, self.steps - 1).long()
        share = position - below
        log_bar = torch.lerp(log_alpha_bar[below], log_alpha_bar[below + 1], share)
        return (log_bar / 2).exp(), (-torch.expm1(log_bar)).sqrt()


@dataclass(frozen=True)
class Shifted:
    """Another schedule with its noise made ``factor`` times stronger against the signal: its
    log-SNR is moved by −2·log(factor).

    Hoogeboom et al. 2023 take size / 64 for an image of ``size`` pixels: neighbours average the
    noise out. A picture that a condition determines nearly can bear more.
    """

    base: Schedule
    factor: float

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        alpha, sigma = self.base(t)
        noisier = sigma * self.factor
        length = torch.hypot(alpha, noisier)
        return alpha / length, noisier / length


@dataclass(frozen=True)
class ZeroTerminal:
    """Another schedule with its signal rate shifted and scaled so that it ends at 0: Lin et al.
    2024, algorithm 1.

    The signal rate at the time ``kept`` stays as it is: of a discrete schedule the first step,
    1 / steps. Before it the signal rate is kept from passing 1.
    """

    base: Schedule
    kept: float = 1e-3

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        first, last = self.base(t.new_tensor([self.kept, 1.0]))[0]  # signal rates of the base
        alpha = (self.base(t)[0] - last) * first / (first - last)
        alpha = alpha.clamp(max=1.0)
        return alpha, (1 - alpha.square()).sqrt()


def level_of(alpha: Tensor, sigma: Tensor) -> Tensor:
    """What a network is told of the noise: the angle of (α, σ), in quarter turns: 0 to 1.

    It is finite at both ends, unlike the log-SNR, and does not depend on the schedule.
    """
    return torch.atan2(sigma, alpha) * (2 / math.pi)
