import torch

from timbrebench.methods.diffusion.envelope import MOST, envelope, lead

M, T = 128, 50


def test_an_envelope_is_the_mean_height_of_a_band_above_silence():
    clip = torch.full((M, T), 0.5)
    clip[:, ::2] = 0.0
    torch.testing.assert_close(envelope(clip), torch.full((M,), 0.625))


def test_a_single_band_is_spread_over_its_neighbours():
    clip = torch.full((M, T), -1.0)
    clip[64] = 1.0
    found = envelope(clip)
    assert found.argmax() == 64 and abs(float(found.sum()) - 1) < 1e-5
    torch.testing.assert_close(found[60], found[64] * torch.tensor(-0.5).exp())  # 4 bands away


def test_led_all_the_way_a_clip_has_the_other_envelope():
    steps = torch.rand(1, T, generator=torch.Generator().manual_seed(0))
    slope = torch.linspace(0.6, 0.3, M)  # a straight line is not changed by smoothing
    clip = 2 * slope[:, None] * steps - 1
    aim = torch.linspace(0.2, 0.4, M)
    inner = slice(20, M - 20)
    torch.testing.assert_close(envelope(lead(clip, aim, 1.0))[inner], aim[inner], atol=0.02, rtol=0)


def test_half_way_lies_between_and_nothing_is_the_clip_itself():
    clip = torch.rand(M, T, generator=torch.Generator().manual_seed(0)) * 2 - 1
    aim = torch.full((M,), 0.3)
    torch.testing.assert_close(lead(clip, aim, 0.0), clip, atol=0, rtol=0)
    torch.testing.assert_close(lead(clip, aim, 0.5), (clip + lead(clip, aim, 1.0)) / 2)


def test_silence_stays_silent_and_no_band_is_raised_without_limit():
    silent = torch.full((M, T), -1.0)
    torch.testing.assert_close(lead(silent, torch.ones(M), 1.0), silent, atol=0, rtol=0)
    faint = torch.full((M, T), -0.98)
    torch.testing.assert_close(lead(faint, torch.ones(M), 1.0), (faint + 1) * MOST - 1)


def test_rests_are_no_part_of_an_envelope():
    """With or without a rest behind it, what sounds is led alike."""
    clip = torch.rand(M, T, generator=torch.Generator().manual_seed(0)) - 0.5
    rested = torch.cat([clip, torch.full((M, 3 * T), -1.0)], dim=1)
    torch.testing.assert_close(envelope(rested), envelope(clip))
    aim = torch.full((M,), 0.3)
    torch.testing.assert_close(lead(rested, aim, 0.7)[:, :T], lead(clip, aim, 0.7))
