import math

import numpy as np
import pytest
import torch

from timbrebench.methods.diffusion.schedules import (
    Cosine,
    CosineAngle,
    LinearBeta,
    Shifted,
    ZeroTerminal,
    level_of,
)

SCHEDULES = [
    CosineAngle(),
    CosineAngle(0.95, 0.02),
    Cosine(),
    LinearBeta(),
    LinearBeta(200),
    Shifted(CosineAngle(), 2.0),
    ZeroTerminal(LinearBeta()),
    ZeroTerminal(CosineAngle(0.95, 0.02)),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_variance_is_preserved_and_noise_only_grows(schedule):
    alpha, sigma = schedule(torch.linspace(0, 1, 501, dtype=torch.float64))
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha))
    assert (alpha.diff() < 0).all() and (sigma.diff() > 0).all()
    assert (alpha >= 0).all() and (sigma >= 0).all()


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_single_time_gives_what_a_batch_gives(schedule):
    times = torch.tensor([0.0, 0.3, 1.0])
    alpha, sigma = schedule(times)
    for i, t in enumerate(times):
        assert schedule(t)[0] == alpha[i] and schedule(t)[1] == sigma[i]


def test_angle_schedule_reaches_its_ends():
    alpha, sigma = CosineAngle()(torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(alpha, torch.tensor([1.0, math.sqrt(0.5), 0.0]))
    assert sigma[0] == 0 and sigma[2] == 1
    published, _ = CosineAngle(0.95, 0.02)(torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(published, torch.tensor([0.95, 0.02]))


def test_linear_beta_is_the_discrete_product():
    steps = 1000
    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, steps))
    alpha, _ = LinearBeta(steps)(torch.arange(1, steps + 1, dtype=torch.float64) / steps)
    np.testing.assert_allclose(alpha.numpy() ** 2, alpha_bar, rtol=1e-9)


def test_two_hundred_linear_steps_leave_signal():
    alpha, _ = LinearBeta(200)(torch.tensor(1.0))
    assert float(alpha) == pytest.approx(0.364, abs=2e-3)  # why sampling from noise failed there


def test_cosine_of_nichol_and_dhariwal_by_hand():
    t, s = 0.4, 0.008
    expected = math.cos((t + s) / (1 + s) * math.pi / 2) / math.cos(s / (1 + s) * math.pi / 2)
    assert float(Cosine()(torch.tensor(t))[0]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("base", "kept"),
    [(LinearBeta(), 1 / 1000), (LinearBeta(200), 1 / 200), (CosineAngle(0.95, 0.02), 0.0)],
    ids=repr,
)
def test_zero_terminal_shifts_and_scales_the_signal_rate(base, kept):
    schedule, t = ZeroTerminal(base, kept), torch.linspace(kept, 1, 201, dtype=torch.float64)
    (alpha, sigma), before = schedule(t), base(t)[0]
    assert alpha[-1] == 0 and sigma[-1] == 1
    assert float(alpha[0]) == pytest.approx(float(before[0]), rel=1e-12)
    torch.testing.assert_close(alpha / alpha[0], (before - before[-1]) / (before[0] - before[-1]))


def test_zero_terminal_passes_no_signal_rate_of_one():
    """Before the step that is kept the line would lead above it."""
    t = torch.linspace(0, 1 / 200, 101)
    alpha, sigma = ZeroTerminal(LinearBeta(200), 1 / 200)(t)
    assert alpha[0] == 1 and sigma[0] == 0
    assert (alpha.diff() <= 0).all() and (alpha <= 1).all() and sigma.isfinite().all()


def test_shift_moves_the_log_snr():
    t = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)

    def log_snr(schedule):
        alpha, sigma = schedule(t)
        return 2 * (alpha / sigma).log()

    moved = log_snr(Shifted(CosineAngle(), 4.0)) - log_snr(CosineAngle())
    torch.testing.assert_close(moved, torch.full_like(moved, -2 * math.log(4)))


def test_level_is_the_time_of_the_plain_cosine():
    t = torch.linspace(0, 1, 11)
    torch.testing.assert_close(level_of(*CosineAngle()(t)), t)
