"""Slices cover every length once, fade into each other, and pad with silence."""

import itertools

import numpy as np
import pytest
import torch

from timbrebench.core import overlap
from timbrebench.core.seeds import generator

CASES = [
    (frames, size, lap)
    for size, lap in [(128, 0), (128, 32), (128, 64), (7, 3), (1, 0)]
    for frames in (1, size - 1 or 1, size, size + 1, 2 * size - lap, 2 * size, 3 * size + 5)
]


@pytest.mark.parametrize(("frames", "size", "lap"), CASES)
def test_identity_gives_identity(frames: int, size: int, lap: int) -> None:
    condition = torch.randn(2, 3, frames, generator=torch.Generator().manual_seed(0))
    made = overlap.run_sliced(condition, size, lap, lambda part: part, -11.5)
    torch.testing.assert_close(made, condition, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("frames", "size", "lap"), CASES)
def test_slices_cover_all_and_none_is_needless(frames: int, size: int, lap: int) -> None:
    starts = overlap.slices(frames, size, lap)
    assert starts[0] == 0 and starts[-1] + size >= frames
    assert all(b - a == size - lap for a, b in itertools.pairwise(starts))
    assert len(starts) == 1 or starts[-2] + size < frames


def test_an_exact_multiple_needs_no_more_slices() -> None:
    assert overlap.slices(256, 128, 0) == [0, 128]
    assert overlap.slices(224, 128, 32) == [0, 96]


@pytest.mark.parametrize(("frames", "size", "lap"), CASES)
def test_weights_add_up_to_one(frames: int, size: int, lap: int) -> None:
    made = overlap.run_sliced(
        torch.zeros(1, 1, frames), size, lap, lambda part: torch.ones_like(part), 0.0
    )
    torch.testing.assert_close(made, torch.ones(1, 1, frames), rtol=0, atol=1e-6)


def test_the_cross_fade_is_linear() -> None:
    made = torch.stack([torch.zeros(1, 1, 6), torch.ones(1, 1, 6)])
    joined = overlap.cross_fade(made, [0, 2], 4)[0, 0]
    torch.testing.assert_close(joined, torch.tensor([0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1]))


def test_the_batch_changes_nothing() -> None:
    condition = torch.randn(1, 4, 500)
    results = []
    for count in (1, 3, 100):
        with overlap.at_once(count):
            cumulated = overlap.run_sliced(condition, 64, 16, lambda part: part.cumsum(-1), 0.0)
        results.append(cumulated)
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)
    torch.testing.assert_close(results[0], results[2], rtol=0, atol=0)


def test_a_listener_hears_of_each_batch_and_of_none_afterwards() -> None:
    heard: list[tuple[int, int]] = []
    condition = torch.zeros(1, 1, 500)  # 11 slices of 64 frames

    def run() -> None:
        overlap.run_sliced(condition, 64, 16, lambda part: part, 0.0)

    with overlap.watched(lambda done, total: heard.append((done, total))):
        run()
    assert heard == [(8, 11), (11, 11)]
    heard.clear()
    with overlap.watched(lambda done, total: heard.append((done, total))), overlap.at_once(4):
        run()
    assert heard == [(4, 11), (8, 11), (11, 11)]
    run()
    assert len(heard) == 3


def test_the_tail_is_silence_and_channels_may_change() -> None:
    seen = []

    def function(part: torch.Tensor) -> torch.Tensor:
        seen.append(part)
        return part[:, :1, :2]

    made = overlap.run_sliced(torch.zeros(3, 4, 10), 16, 4, function, -11.5)
    assert made.shape == (1, 2, 10)
    assert (seen[0][..., 10:] == -11.5).all() and not seen[0][..., :10].any()


def test_too_much_overlap_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        overlap.slices(100, 10, 6)


def test_one_noise_is_standard_normal_and_the_streams_own() -> None:
    noise = overlap.one_noise(generator("item", 1), (1, 128, 128))
    assert noise.shape == (1, 128, 128) and noise.dtype == torch.float32
    assert abs(float(noise.mean())) < 0.03 and abs(float(noise.std()) - 1) < 0.03
    np.testing.assert_array_equal(noise, overlap.one_noise(generator("item", 1), (1, 128, 128)))
