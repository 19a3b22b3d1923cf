"""The content view: the same notes whoever plays them."""

import numpy as np
import pytest

from timbrebench.core import mel
from timbrebench.methods.ldm import content

SPEC = mel.preset("soundstream")
PITCHES = (60, 64, 69, 76)


def melody(losses_db: dict[int, float], rate: int) -> np.ndarray:
    """Half a second of each pitch; partial → how many dB below the first."""
    time = np.arange(rate // 2) / rate
    notes = [
        sum(
            10 ** (-loss / 20) * np.sin(2 * np.pi * n * 440 * 2 ** ((p - 69) / 12) * time)
            for n, loss in losses_db.items()
        )
        for p in PITCHES
    ]
    return np.concatenate(notes).astype(np.float32)


def found_in(wave: np.ndarray, spec: mel.MelSpec) -> list[int]:
    """The strongest pitch in the middle of each note."""
    activation = content.activations(mel.log_mel(wave, spec).numpy(), spec)
    middles = [round((i + 0.5) * spec.rate / 2 / spec.hop) for i in range(len(PITCHES))]
    return [content.LOWEST + int(activation[:, m].argmax()) for m in middles]


@pytest.mark.parametrize("name", ["soundstream", "ldm"])
@pytest.mark.parametrize(
    "partials",
    [
        {n: 6 * np.log2(n) for n in range(1, 9)},
        {n: 5.0 * (n - 1) for n in (1, 3, 5, 7)},
        {1: 0.0, 4: 12.0, 10: 25.0},
    ],
    ids=["string", "pipe", "bar"],
)
def test_pitches_are_found_in_any_timbre(name, partials):
    spec = mel.preset(name)
    assert found_in(melody(partials, spec.rate), spec) == list(PITCHES)


def test_a_chord_is_told_apart():
    time = np.arange(SPEC.rate) / SPEC.rate
    chord = sum(
        np.sin(2 * np.pi * n * 440 * 2 ** ((p - 69) / 12) * time) / n
        for p in (57, 61, 64)
        for n in range(1, 7)
    )
    activation = content.activations(mel.log_mel(chord.astype(np.float32), SPEC).numpy(), SPEC)
    loudest = np.argsort(activation[:, 25])[-3:] + content.LOWEST
    assert sorted(loudest) == [57, 61, 64]


def test_level_does_not_matter_and_silence_is_nothing():
    wave = melody({1: 0.0, 2: 6.0}, SPEC.rate)
    loud, soft = (
        content.activations(mel.log_mel(gain * wave, SPEC).numpy(), SPEC) for gain in (1, 0.1)
    )
    np.testing.assert_allclose(loud, soft, atol=0.02)
    silence = np.full((SPEC.n_mels, 50), mel.silence(SPEC), np.float32)
    assert not content.image(content.activations(silence, SPEC), SPEC).any()


def test_the_image_has_its_lowest_line_at_the_pitch():
    activation = np.zeros((content.HIGHEST - content.LOWEST + 1, 1), np.float32)
    activation[69 - content.LOWEST] = 1
    drawn = content.image(activation, SPEC)[:, 0]
    tone = np.sin(2 * np.pi * 440 * np.arange(SPEC.rate) / SPEC.rate).astype(np.float32)
    seen = mel.log_mel(tone, SPEC).numpy()[:, 25]
    first = next(i for i in range(127) if drawn[i] > drawn[i + 1] and drawn[i] > 0.5)
    assert first == int(seen.argmax())


def test_perturbation_invents_no_note_and_stays_in_range():
    rng = np.random.default_rng(0)
    activation = rng.random((69, 40)).astype(np.float32) * (rng.random((69, 40)) < 0.1)
    for _ in range(20):
        seen = content.perturbed(activation, rng)
        assert not seen[activation == 0].any()
        assert seen.min() >= 0 and seen.max() <= 1
