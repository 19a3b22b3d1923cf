"""What a network predicts (noise, v or x₀), and how its loss is weighted over noise levels.

Shapes: every tensor is [B, C, H, W], the rates α and σ are [B, 1, 1, 1] or scalars.
v = α·ε − σ·x₀ (Salimans & Ho 2022).
"""

import torch
from torch import Tensor

OBJECTIVES = ("v", "x0", "noise")
WEIGHTINGS = ("none", "min-snr", "snr+1")


def diffuse(x0: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """x_t = α·x₀ + σ·ε."""
    return alpha * x0 + sigma * noise


def target_of(objective: str, x0: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """What the network should answer."""
    if objective == "v":
        return alpha * noise - sigma * x0
    return {"x0": x0, "noise": noise}[objective]


def to_x0(objective: str, answer: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The clean image that the network's answer stands for. ``noise`` needs α > 0."""
    if objective == "v":
        return alpha * x_t - sigma * answer
    if objective == "noise":
        return (x_t - sigma * answer) / alpha
    return answer


def to_noise(x0: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The noise that is left when x_t has the clean image x₀. Needs σ > 0."""
    return (x_t - alpha * x0) / sigma


def weight_of(weighting: str, objective: str, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The weight of the squared error of the network's answer.

    ``min-snr`` (Hang et al. 2023, γ = 5) weighs the error of x₀ by min(SNR, γ). The same in terms
    of the other answers, written so that nothing divides by zero where v is predicted:
    min(SNR, γ)·σ² = min(α², γσ²).

    ``snr+1`` (Salimans & Ho 2022, section 4) weighs all errors of v alike, here as far as the
    weight of x₀'s, SNR + 1 = 1/σ², does not pass γ: min(1/σ², γ)·σ² = min(1, γσ²).
    """
    if weighting == "none":
        return alpha.new_ones(alpha.shape)
    most = alpha.square() if weighting == "min-snr" else torch.ones_like(alpha)
    limited = most.minimum(5.0 * sigma.square())
    return {
        "v": limited,  # for min-snr: min(SNR, γ) / (SNR + 1)
        "x0": limited / sigma.square().clamp(min=1e-8),  # min(SNR, γ)
        "noise": limited / alpha.square().clamp(min=1e-8),  # min(SNR, γ) / SNR
    }[objective]
