"""The error of a denoising network, an example at a time."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from timbrebench.methods.diffusion.parameterisation import diffuse, target_of, weight_of
from timbrebench.methods.diffusion.samplers import Network
from timbrebench.methods.diffusion.schedules import Schedule, level_of

BINS = 4  # of the time, that a loss is logged by
LOSSES = ("l1", "l2")


def denoising_errors(
    network: Network,
    schedule: Schedule,
    config: Mapping[str, Any],
    x0: Tensor,
    noise: Tensor,
    t: Tensor,
) -> Tensor:
    """The weighted error of what ``network`` predicts from x_t: [B], for x₀ [B, C, H, W], t [B].

    ``config`` has 'objective', 'loss' and 'weighting', as ``parameterisation`` names them.
    """
    rates = schedule(t)
    alpha, sigma = (rate[:, None, None, None] for rate in rates)
    objective = config["objective"]
    answer = network(diffuse(x0, noise, alpha, sigma), level_of(*rates)).float()
    error = answer - target_of(objective, x0, noise, alpha, sigma)
    size = error.abs() if config["loss"] == "l1" else error.square()
    return weight_of(config["weighting"], objective, *rates) * size.mean(dim=(1, 2, 3))


def by_time(each: Tensor, t: Tensor) -> dict[str, Tensor]:
    """The mean error in each quarter of the time, from the data to the noise.

    A batch need not have every quarter: the sums are divided by the expected count, so that the
    mean over many batches is right.
    """
    parts = (t * BINS).long().clamp(max=BINS - 1)
    return {f"loss_by_time_{i + 1}": (each * (parts == i)).mean() * BINS for i in range(BINS)}
