"""``bench transfer``: any sound in; as long, as loud and without seams out; mistakes in words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from usable_cells import cell_of, corpus_folder, trained_run
from usable_methods import usable_plugins

from timbrebench.benchmarks import session, sound
from timbrebench.benchmarks.using import open_cell
from timbrebench.cli import main
from timbrebench.core import audio
from timbrebench.core.records import Task

RATE = 44100
TOLERANCE = 1.1  # of two samples of one distribution; a hard seam has more than 1.5
FRAME = 441  # samples of RATE between frames of the flux: 10 ms


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "registry", usable_plugins)


def drone(seconds: float, rate: int = RATE) -> np.ndarray:
    """[n] steady voices with vibrato and a little noise: no onset of its own hides a seam."""
    time = np.arange(round(seconds * rate)) / rate
    voices = [(220, 5), (331, 4), (550, 3)]
    tones = sum(np.sin(2 * np.pi * f * time + 3 * np.sin(2 * np.pi * v * time)) for f, v in voices)
    noise = np.random.default_rng(0).standard_normal(len(time))
    return (0.1 * tones + 0.003 * noise).astype(np.float32)


def written(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    sf.write(path, samples, rate, subtype="FLOAT")
    return path


def transfer(cell: Path, source: Path, out: Path, *words: object) -> np.ndarray:
    """What the command writes, as [n]; its rate and length are those of the source."""
    assert main(["transfer", str(cell), str(source), "-o", str(out), *map(str, words)]) == 0
    made, given = sf.info(out), sf.info(source)
    assert (made.frames, made.samplerate, made.channels) == (given.frames, given.samplerate, 1)
    return sf.read(out, dtype="float32")[0]


def mistake(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line that a command line which must fail prints."""
    capsys.readouterr()
    assert main(["transfer", *map(str, words)]) == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("Error: ") and "\n" not in told
    return told


# ---------------------------------------------------------------------------- seams


def flux(samples: np.ndarray) -> np.ndarray:
    """Rise of the STFT magnitudes from frame to frame, one value for every 10 ms."""
    window = torch.hann_window(2048)
    complex_stft = torch.stft(
        torch.from_numpy(samples), 2048, FRAME, window=window, return_complex=True
    )
    return complex_stft.abs().diff(dim=1).clamp_min(0).sum(dim=0).numpy()


def at_seams_and_between(
    samples: np.ndarray, overlap: int = 32, *, step: float | None = None, lap: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The greatest flux (over 30 ms) in each seam, and in two stretches as long between each two
    seams. Seams are ``step`` seconds apart and last ``lap``; those of palette's slices (128 frames
    of 20 ms, of which neighbours share ``overlap``) by default."""
    step, lap = step or (128 - overlap) * 0.02, lap or max(overlap * 0.02, 0.04)
    smooth = np.convolve(flux(samples), np.ones(3) / 3, "same")

    def greatest(start: float) -> float:
        return smooth[round((start - 0.02) * 100) : round((start + lap + 0.02) * 100)].max()

    seams = np.arange(step, len(samples) / RATE - lap - 0.1, step)
    between = [s + offset for s in seams[:-1] for offset in (lap + 0.1, step - lap - 0.1)]
    return np.array([*map(greatest, seams)]), np.array([*map(greatest, between)])


def test_a_minute_of_stereo_has_no_seam_louder_than_its_surroundings(tmp_path: Path) -> None:
    voice = drone(60)
    source = written(tmp_path / "in.wav", np.stack([voice, 0.5 * voice], axis=1))
    out = transfer(trained_run(), source, tmp_path / "out.flac")
    assert audio.rms(out) == pytest.approx(0.75 * audio.rms(voice), rel=1e-3)
    seams, between = at_seams_and_between(out, overlap=32)
    assert len(seams) >= 29
    assert np.percentile(seams, 95) <= TOLERANCE * np.percentile(between, 95)
    assert seams.max() <= TOLERANCE * between.max()


def test_slices_that_differ_are_faded_and_the_measure_would_hear_it(tmp_path: Path) -> None:
    folder = cell_of(tmp_path, "sliced", "bell:bow")
    source = written(tmp_path / "in.wav", drone(24))
    faded = transfer(folder, source, tmp_path / "faded.wav")
    seams, between = at_seams_and_between(faded, overlap=32)
    assert np.percentile(seams, 95) <= TOLERANCE * np.percentile(between, 95)
    hard = transfer(folder, source, tmp_path / "hard.wav", "--set", "overlap=0")
    seams, between = at_seams_and_between(hard, overlap=0)
    assert np.percentile(seams, 95) > 1.5 * np.percentile(between, 95)


def test_parts_of_long_sound_join_as_if_it_were_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound, "PART_SECONDS", 2)
    source = written(tmp_path / "in.wav", drone(6.3, 16000), 16000)
    out = transfer(cell_of(tmp_path, "copy", "bell:bow"), source, tmp_path / "out.wav")
    np.testing.assert_allclose(out, sf.read(source)[0], atol=1e-3)


def test_parts_keep_the_level_of_what_they_are_made_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever level a method works at: quiet music before loud music stays quiet."""

    class Loud:
        def transfer(self, clip, task, styles, seed, listen):
            return replace(clip, samples=audio.match_rms(clip.samples, 0.5))

    monkeypatch.setattr(sound, "PART_SECONDS", 3)
    samples = drone(24)
    samples[: 12 * RATE] *= 0.03
    made = sound.convert(Loud(), sound.Sound(samples, RATE), None, [], 0)
    for part in (slice(0, 8 * RATE), slice(14 * RATE, 22 * RATE)):
        assert audio.rms(made[part]) == pytest.approx(audio.rms(samples[part]), rel=0.05)


def test_parts_of_long_sound_have_no_seams_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound, "PART_SECONDS", 4)
    source = written(tmp_path / "in.wav", drone(24))
    out = transfer(trained_run(), source, tmp_path / "out.wav")
    seams, between = at_seams_and_between(out, step=3.0, lap=1.0)
    assert len(seams) == 7
    assert seams.max() <= TOLERANCE * between.max()
    level = np.sqrt(np.convolve(out**2, np.ones(RATE // 4) / (RATE // 4), "valid"))
    assert level[RATE:-RATE].min() > 0.7 * level.max(), "it dips where parts meet"


def test_a_cross_fade_keeps_the_power_whatever_the_phases() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 20000)).astype(np.float32)
    assert audio.rms(sound.cross_fade(one, other)) == pytest.approx(1, rel=0.02)
    np.testing.assert_allclose(sound.cross_fade(one, one), one, atol=1e-6)
    assert not sound.cross_fade(np.zeros(9, np.float32), np.zeros(9, np.float32)).any()


# ---------------------------------------------------------------------------- what goes in

LENGTHS = {
    "one sample": 1 / 16000,
    "a twentieth of a second": 0.05,
    "one slice": 127 * 320 / 16000,  # 128 frames
    "two slices": 223 * 320 / 16000,  # 224 frames, 32 of which both have
    "two slices and a frame": 224 * 320 / 16000,
}


@pytest.mark.parametrize("name", LENGTHS)
def test_every_length_comes_back(tmp_path: Path, name: str) -> None:
    source = written(tmp_path / "in.wav", drone(LENGTHS[name], 16000) + 0.05, 16000)
    out = transfer(trained_run(), source, tmp_path / "out.wav")
    assert audio.rms(out) == pytest.approx(audio.rms(sf.read(source)[0]), rel=0.01)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_every_rate_comes_back(tmp_path: Path, rate: int) -> None:
    source = written(tmp_path / "in.wav", drone(0.7, rate), rate)
    cell = cell_of(tmp_path, "copy", "bell:bow")
    out = transfer(cell, source, tmp_path / "new" / "out.flac")
    assert np.corrcoef(out, sf.read(source)[0])[0, 1] > 0.99


def test_silence_stays_silence(tmp_path: Path) -> None:
    source = written(tmp_path / "in.wav", np.zeros((RATE, 2)))
    assert not transfer(trained_run(), source, tmp_path / "out.wav").any()


def test_equal_seeds_give_equal_sound(tmp_path: Path) -> None:
    source = written(tmp_path / "in.wav", drone(0.5))
    first = transfer(trained_run(), source, tmp_path / "a.wav")
    again = transfer(trained_run(), source, tmp_path / "b.wav", "--seed", 0)
    other = transfer(trained_run(), source, tmp_path / "c.wav", "--seed", 1)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_channels_that_cancel_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voice, cell = drone(0.5), cell_of(tmp_path, "copy", "bell:bow")
    transfer(
        cell, written(tmp_path / "a.wav", np.stack([voice, -0.9 * voice], 1)), tmp_path / "o.wav"
    )
    assert "cancel each other" in capsys.readouterr().err
    independent = np.random.default_rng(0).standard_normal((RATE, 2)) * 0.1
    transfer(cell, written(tmp_path / "b.wav", independent), tmp_path / "o.wav")
    assert "cancel" not in capsys.readouterr().err


def test_a_style_file_takes_the_place_of_training_tracks(tmp_path: Path) -> None:
    style = corpus_folder() / "reed" / "tune4.wav"
    source = written(tmp_path / "in.wav", drone(1.5, 16000), 16000)
    cell = cell_of(tmp_path, "follows", "bell:bow")
    out = transfer(cell, source, tmp_path / "out.wav", "--style", style)
    heard = sf.read(style)[0][: len(out)]
    assert np.corrcoef(out, heard)[0, 1] > 0.99
    drawn = transfer(cell, source, tmp_path / "out.wav")
    assert abs(np.corrcoef(drawn, heard)[0, 1]) < 0.5


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    [folder] = (trained_run() / "cells").iterdir()
    player = open_cell(trained_run(), folder.name).player(Task("transfer", "bell", "bow"))
    shares: list[float] = []
    given = sound.Sound(drone(20, 16000), 16000)
    sound.convert(player, given, Task("transfer", "bell", "bow"), [], 0, shares.append)
    assert shares == sorted(shares) and len(shares) == 2 and shares[-1] == 1


# ---------------------------------------------------------------------------- mistakes


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = written(tmp_path / "in.wav", drone(0.2)), tmp_path / "out.wav"
    run = trained_run()
    text = tmp_path / "text.wav"
    text.write_text("no audio")
    cases = [
        ((run, source, "-o", tmp_path / "out.mp3"), "written as .wav or .flac"),
        ((run, source, "-o", source), "would replace"),
        ((run, source, "-o", text / "out.wav"), "cannot write to"),
        ((run, text, "-o", out), "cannot be read as audio"),
        ((run, tmp_path / "no.wav", "-o", out), "no such file"),
        ((run, source, "-o", out, "--to", "bw"), "Did you mean bow"),
        ((run, source, "-o", out, "--from", "bow"), "source of the cell palette"),
        ((run, source, "-o", out, "--set", "steps"), "OPTION=VALUE"),
        ((run, source, "-o", out, "--style", text), "cannot be read as audio"),
        ((tmp_path, source, "-o", out), "names no cell"),
        ((run / "cells" / "0", source, "-o", out), "unknown cell"),
        (("palete", source, "-o", out, "--run", run), "Did you mean palette"),
        ((tmp_path / "cells" / "0", source, "-o", out), "no run folder"),
        ((f"{run}x", source, "-o", out), f"Did you mean {run}"),
    ]
    for words, told in cases:
        assert told in mistake(capsys, *words)
    assert not out.exists()


def test_a_method_that_raises_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = written(tmp_path / "in.wav", drone(0.2))
    cell = cell_of(tmp_path, "breaks", "bell:bow")
    told = mistake(capsys, cell, source, "-o", tmp_path / "out.wav")
    assert "the method breaks failed: ValueError: shapes (3,) and (4,)" in told
    singer = cell_of(tmp_path, "sings", "generate:bow")
    told = mistake(capsys, singer, source, "-o", tmp_path / "out.wav")
    assert "cannot convert sound: it does generate and pair tasks only" in told


def test_a_cell_may_be_named_by_its_label(tmp_path: Path) -> None:
    source = written(tmp_path / "in.wav", drone(0.2))
    transfer(Path("palette"), source, tmp_path / "out.wav", "--run", trained_run())
