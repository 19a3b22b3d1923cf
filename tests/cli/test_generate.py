"""``bench generate``: each clip is its seed's and its number's, pairs add up, mistakes in words."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from usable_cells import cell_of
from usable_methods import usable_plugins

from timbrebench.benchmarks import session
from timbrebench.cli import main


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "registry", usable_plugins)


@pytest.fixture
def singer(tmp_path: Path) -> Path:
    return cell_of(tmp_path, "sings", "generate:bell", "generate:bow", "pair:bell/reed")


def generate(cell: Path, out: Path, *words: object) -> dict[str, np.ndarray]:
    """The clips of the folder, by name."""
    assert main(["generate", str(cell), "-o", str(out), *map(str, words)]) == 0
    return {path.name: sf.read(path, dtype="float32")[0] for path in sorted(out.iterdir())}


def mistake(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["generate", *map(str, words)]) == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("Error: ") and "\n" not in told
    return told


def test_more_clips_change_none_of_the_others(singer: Path, tmp_path: Path) -> None:
    bell = ("--instrument", "bell", "--seconds", 0.5)
    two = generate(singer, tmp_path / "two", *bell, "--count", 2)
    three = generate(singer, tmp_path / "three", *bell, "--count", 3)
    assert list(three) == ["001.flac", "002.flac", "003.flac"]
    assert {len(samples) for samples in three.values()} == {4000}
    for name, samples in two.items():
        np.testing.assert_array_equal(samples, three[name])
    clips = [*three.values()]
    clips += generate(singer, tmp_path / "seed", *bell, "--count", 1, "--seed", 1).values()
    clips += generate(
        singer, tmp_path / "bow", "--instrument", "bow", "--seconds", 0.5, "--count", 1
    ).values()
    alike = np.corrcoef(clips) - np.eye(len(clips))
    assert np.abs(alike).max() < 0.1, "two clips have the same noise"


def test_a_pair_adds_up_to_its_mix(singer: Path, tmp_path: Path) -> None:
    made = generate(singer, tmp_path / "out", "--pair", "bell/reed", "--seconds", 1, "--count", 2)
    assert list(made) == [f"{n}-{part}.flac" for n in ("001", "002") for part in ("a", "b", "mix")]
    for n in ("001", "002"):
        total = made[f"{n}-a.flac"] + made[f"{n}-b.flac"]
        np.testing.assert_allclose(total, made[f"{n}-mix.flac"], atol=1e-4)
    ratio = made["001-b.flac"].std() / made["001-a.flac"].std()
    assert ratio == pytest.approx(2, rel=0.15)  # of the noise that they are, less what bands cut
    power = np.abs(np.fft.rfft(made["001-b.flac"])) ** 2  # of a reed: nothing under 220 Hz
    rumble = np.fft.rfftfreq(len(made["001-b.flac"]), 1 / 16000) < 60
    assert power[rumble].sum() < 1e-3 * rumble.mean() * power.sum()


def test_mistakes_are_one_line(
    singer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    file = tmp_path / "file"
    file.touch()
    copy = cell_of(tmp_path / "other", "copy", "bell:bow")
    for words, told in [
        ((singer, "-o", out), "more than one instrument: bell, bow. Say which: --instrument bell"),
        ((singer, "-o", out, "--instrument", "bwo"), "Did you mean bow"),
        ((singer, "-o", out, "--pair", "bell/bow"), "Did you mean"),
        ((singer, "-o", out, "--pair", "bell/reed", "--instrument", "bow"), "one or the other"),
        ((singer, "-o", file), "cannot write to"),
        ((copy, "-o", out), "cannot generate an instrument: it does transfer tasks only"),
        ((singer, "-o", out, "--count", 0), "--count"),
    ]:
        if told == "--count":  # click's own words, on several lines
            assert main(["generate", *map(str, words)]) == 2
        else:
            assert told in mistake(capsys, *words)
