"""Style is listened to: the loss under a style of the right instrument against a wrong one.

Latents are made up: an instrument is a level of each channel that all its tracks share, so that
only the style says what noise has hidden.
"""

import numpy as np
import pytest
import torch

from timbrebench.core import training
from timbrebench.methods.ldm.model import LatentDiffusion

INSTRUMENTS, TRACKS = ("bell", "bow", "reed"), 3
BATCH, STEPS, SEEDS = 4, 40, 3
STYLES = ("loss_by_right_style", "loss_by_wrong_style")


def made_up(seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Latents [4, 16, 24] of every track: levels of the instrument, and a melody of its own."""
    levels = np.random.default_rng(0).standard_normal((len(INSTRUMENTS), 4, 1, 1))
    rng = np.random.default_rng(seed)
    return {
        name: {
            f"tune{i}": (level + 0.3 * rng.standard_normal((4, 16, 24))).astype(np.float32)
            for i in range(TRACKS)
        }
        for name, level in zip(INSTRUMENTS, levels, strict=True)
    }


@pytest.fixture
def stage(corpus, task, options_of):
    made = LatentDiffusion(options_of(variant="noise", widths=(32,))).stages(corpus, [task])[1]
    made.latents = {"train": made_up(1), "valid": made_up(2)}
    return made


def drawn(stage, split: str, seed: int, first: int, count: int) -> training.Batch:
    """A batch at levels of noise that hide the instrument: below, 256 places show it."""
    plan = training.TrainPlan(1, seed, "data")
    batch = training.collate(training.draw(stage, plan, split, first, count), "cpu")
    return batch | {"t": 0.9 + 0.1 * batch["t"]}


def gap(stage, module) -> float:
    """How much worse a wrong style is, on fixed examples."""
    batch = drawn(stage, "valid", 0, 0, 64)
    with torch.no_grad():
        parts = stage.loss(module.eval(), batch)
    right, wrong = (float(parts[name]) for name in STYLES)
    return wrong - right


def briefly_trained(stage, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    module = stage.build()
    optimiser = torch.optim.AdamW(module.parameters(), lr=5e-3)
    for step in range(STEPS):
        batch = drawn(stage, "train", seed, BATCH * step, BATCH)
        optimiser.zero_grad()
        stage.loss(module.train(), batch)["loss"].backward()
        optimiser.step()
    return module


def test_an_untrained_network_has_no_gap(stage):
    assert gap(stage, stage.build()) == 0


def test_a_briefly_trained_one_has_more_than_the_noise_of_seeds(stage):
    gaps = np.array([gap(stage, briefly_trained(stage, seed)) for seed in range(SEEDS)])
    assert gaps.mean() > 3 * gaps.std(ddof=1)
