"""PANN: the package's own network on the same random weights, in rows of its own."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from timbrebench.benchmarks.metrics import pann
from timbrebench.core import weights
from timbrebench.core.errors import BenchError, CannotMeasure
from timbrebench.core.files import sha256_of
from timbrebench.core.options import NoOptions
from timbrebench.core.records import Clip

RATE = pann.RATE


def noise(seconds: float) -> Clip:
    samples = 0.1 * np.random.default_rng(0).standard_normal(int(seconds * RATE))
    return Clip(samples.astype(np.float32), RATE)


@pytest.fixture(scope="module")
def network() -> Any:
    from frechet_audio_distance.models.pann import Cnn14_16k

    torch.manual_seed(0)
    return Cnn14_16k(**pann.SETTINGS).eval()


@pytest.fixture
def made_up(network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Random weights as the published file has them: with a sampler's arrays beside."""
    file = tmp_path / "weights" / "made-up.pth"
    file.parent.mkdir()
    sampler = {"indexes": np.arange(7), "pointer": 3}
    torch.save({"iteration": 1, "model": network.state_dict(), "sampler": sampler}, file)
    known = weights.Weights("pann", file.name, "", sha256_of(file), 0)
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(weights, "KNOWN", {"pann": known})
    return file


def test_each_window_is_a_row(network: Any, made_up: Path) -> None:
    """The package would string the rows into one vector."""
    clip = noise(16)
    found = pann.Pann(NoOptions()).embed(clip)
    assert found.shape == (2, 2048) and found.dtype == np.float32
    with torch.no_grad():
        for row, part in zip(
            found, (clip.samples[: 10 * RATE], clip.samples[10 * RATE :]), strict=True
        ):
            expected = network(torch.from_numpy(part)[None], None)["embedding"][0].numpy()
            np.testing.assert_allclose(row, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("seconds", "rows"), [(0.5, 1), (9, 1), (10, 1), (14.9, 1), (15, 2)])
def test_a_rest_of_half_a_window_counts(seconds: float, rows: int) -> None:
    assert len(list(pann.cut(noise(seconds).samples))) == rows


def test_what_is_too_short_is_refused() -> None:
    with pytest.raises(CannotMeasure, match=r"0\.30 s are shorter than the 0\.5 s"):
        list(pann.cut(noise(0.3).samples))


def test_without_weights_the_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path))
    assert "bench data prepare pann" in pann.Pann(NoOptions()).missing()


def test_a_file_of_another_hash_is_not_opened(made_up: Path) -> None:
    made_up.write_bytes(made_up.read_bytes() + b"!")
    with pytest.raises(BenchError, match="sha256"):
        pann.Pann(NoOptions()).embed(noise(1))


class Command:
    def __reduce__(self) -> Any:
        return print, ("this code was run",)


def test_no_code_in_a_file_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "hostile.pth"
    torch.save({"model": {}, "sampler": Command()}, file)
    with pytest.raises(pickle.UnpicklingError):
        pann.read_state(file)
    assert "was run" not in capsys.readouterr().out
