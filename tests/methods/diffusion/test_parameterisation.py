import pytest
import torch

from timbrebench.methods.diffusion.parameterisation import (
    OBJECTIVES,
    diffuse,
    target_of,
    to_noise,
    to_x0,
    weight_of,
)

T = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)[:, None, None, None]
ALPHA, SIGMA = torch.cos(T), torch.sin(T)
SNR = (ALPHA / SIGMA) ** 2


def pair():
    torch.manual_seed(0)
    return torch.randn(2, 7, 1, 3, 4, dtype=torch.float64)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_right_answer_gives_back_data_and_noise(objective):
    x0, noise = pair()
    x_t = diffuse(x0, noise, ALPHA, SIGMA)
    answer = target_of(objective, x0, noise, ALPHA, SIGMA)
    found = to_x0(objective, answer, x_t, ALPHA, SIGMA)
    torch.testing.assert_close(found, x0)
    torch.testing.assert_close(to_noise(found, x_t, ALPHA, SIGMA), noise)


@pytest.mark.parametrize(
    ("objective", "gain"), [("noise", SNR), ("v", SNR + 1), ("x0", torch.ones_like(SNR))]
)
def test_without_weights_an_error_of_x0_counts_as_published(objective, gain):
    """Salimans & Ho 2022, section 4: noise weighs it by the SNR, v by SNR + 1."""
    x0, noise = pair()
    x_t, wrong = diffuse(x0, noise, ALPHA, SIGMA), x0 + 0.01
    right, off = (
        target_of(objective, clean, to_noise(clean, x_t, ALPHA, SIGMA), ALPHA, SIGMA)
        for clean in (x0, wrong)
    )
    weighted = weight_of("none", objective, ALPHA, SIGMA) * (off - right).square()
    torch.testing.assert_close(weighted, (gain * 0.01**2).expand_as(x0))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_min_snr_weighs_the_same_error_of_x0_alike(objective):
    x0, noise = pair()
    x_t = diffuse(x0, noise, ALPHA, SIGMA)
    answer = target_of(objective, x0, noise, ALPHA, SIGMA) + 0.01
    error_of_x0 = (to_x0(objective, answer, x_t, ALPHA, SIGMA) - x0).square()
    weighted = weight_of("min-snr", objective, ALPHA, SIGMA) * 0.01**2
    torch.testing.assert_close(weighted.expand_as(x0), SNR.clamp(max=5.0) * error_of_x0)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_snr_plus_one_weighs_x0_by_the_inverse_noise_up_to_a_limit(objective):
    x0, noise = pair()
    x_t = diffuse(x0, noise, ALPHA, SIGMA)
    answer = target_of(objective, x0, noise, ALPHA, SIGMA) + 0.01
    error_of_x0 = (to_x0(objective, answer, x_t, ALPHA, SIGMA) - x0).square()
    weighted = weight_of("snr+1", objective, ALPHA, SIGMA) * 0.01**2
    torch.testing.assert_close(weighted.expand_as(x0), (SNR + 1).clamp(max=5.0) * error_of_x0)


def test_min_snr_of_v_is_the_published_form():
    weight = weight_of("min-snr", "v", ALPHA, SIGMA)
    torch.testing.assert_close(weight, SNR.clamp(max=5.0) / (SNR + 1))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_weights_are_finite_at_both_ends(objective):
    ends = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert weight_of("min-snr", objective, *ends).isfinite().all()
    assert (weight_of("none", objective, *ends) == 1).all()
