"""Degradations are what they say, and each is seen by the metrics that should."""

from pathlib import Path

import numpy as np
import pytest

from timbrebench.benchmarks import degradations as d
from timbrebench.benchmarks.validity import ask_metrics
from timbrebench.cli import main
from timbrebench.core import audio
from timbrebench.core.records import Clip, Note
from timbrebench.testing import tiny_corpus

RATE = 16000


def tone(hertz: float, seconds: float = 2.0) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.2 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def peak(samples: np.ndarray) -> float:
    """Frequency of the strongest component."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / RATE)[spectrum.argmax()])


def degraded(name: str, clip: Clip) -> np.ndarray:
    made = d.DEGRADATIONS[name](clip)
    assert made.samples.shape == clip.samples.shape and made.samples.dtype == np.float32
    return made.samples


def test_a_gain_is_a_gain() -> None:
    clip = Clip(tone(440), RATE)
    assert audio.rms_db(degraded("gain", clip)) - audio.rms_db(clip.samples) == pytest.approx(-6)


def test_a_tilt_is_three_decibels_an_octave() -> None:
    levels = [audio.rms_db(degraded("eq", Clip(tone(h), RATE))) for h in (500, 1000, 2000)]
    assert levels[1] == pytest.approx(audio.rms_db(tone(1000)), abs=0.05)
    assert np.diff(levels) == pytest.approx([-3, -3], abs=0.05)


def test_a_semitone_is_six_per_cent() -> None:
    assert peak(degraded("pitch", Clip(tone(440), RATE))) == pytest.approx(
        440 * 2 ** (1 / 12), 0.01
    )


def test_noise_is_twenty_decibels_below() -> None:
    clip = Clip(tone(440), RATE, "reed", "t")
    added = degraded("noise", clip) - clip.samples
    assert audio.rms_db(added) == pytest.approx(audio.rms_db(clip.samples) - 20, abs=0.1)
    np.testing.assert_array_equal(degraded("noise", clip) - clip.samples, added)


def test_late_is_forty_milliseconds_late() -> None:
    clip = Clip(tone(440), RATE)
    np.testing.assert_array_equal(degraded("late", clip)[640:], clip.samples[:-640])


def test_one_note_of_twenty_is_wrong_and_the_rest_untouched() -> None:
    notes = tuple(Note(0.1 * i, 0.1 * i + 0.1, 69) for i in range(20))
    clip = Clip(tone(440), RATE, "reed", "t", notes)
    changed = np.flatnonzero(degraded("wrong-notes", clip) != clip.samples)
    begin, end = changed[0] / RATE, changed[-1] / RATE
    assert 0.08 < end - begin <= 0.1
    assert round(begin * 10) * 0.1 == pytest.approx(begin, abs=0.01)


def test_where_notes_are_unknown_some_of_the_time_is_wrong() -> None:
    clip = Clip(tone(440, 10.0), RATE, "reed", "t")
    changed = (degraded("wrong-notes", clip) != clip.samples).mean()
    assert 0.03 < changed <= 0.05


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    tiny_corpus(folder, seconds=2.0, split={"train": 3, "test": 4})
    return folder


WORDS = {"dataset": "folder", "split": "test=tune3,tune4,tune5,tune6"}


def test_metrics_see_what_they_should(folder: Path) -> None:
    rows = ask_metrics(
        **WORDS,
        instrument="reed",
        metrics=("level_error_db", "mel_l1", "jaccard_melodia16k"),
        options={},
        data_root=str(folder),
        tracks=4,
        seconds=2.0,
        jobs=2,
        progress=lambda what, share: None,
    )
    of = {(r["measure"], r["degradation"]): r for r in rows}
    for measure in ("level_error_db", "mel_l1", "jaccard_melodia16k"):
        assert of[measure, "none"]["value"] == pytest.approx(0, abs=1e-6)
        assert of[measure, "none"]["sees"] is None
    assert of["level_error_db", "gain"]["value"] == pytest.approx(-6, abs=0.01)
    assert of["level_error_db", "gain"]["sees"]
    assert of["mel_l1", "gain"]["value"] == pytest.approx(0, abs=1e-3)
    assert of["mel_l1", "gain"]["sees"] is False  # what is left is rounding
    assert of["mel_l1", "eq"]["sees"] and of["mel_l1", "noise"]["sees"]
    assert of["jaccard_melodia16k", "pitch"]["value"] > 0.8
    assert of["jaccard_melodia16k", "pitch"]["sees"]
    assert len(of["mel_l1", "eq"]["by_track"]) == 4


def test_a_table_of_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["validity", "--dataset", WORDS["dataset"], "--data-root", str(folder)]
    words += ["--split", WORDS["split"], "--instrument", "reed", "--tracks", "3"]
    assert main([*words, "--metrics", "level_error_db", "--format", "md"]) == 0
    heading, _, line = capsys.readouterr().out.splitlines()
    assert heading == f"| measure | {' | '.join(d.DEGRADATIONS)} |"
    assert line.startswith("| level_error_db | 0 | -6 ●")


@pytest.mark.parametrize(
    "wrong, told",
    [
        (["--instrument", "tuba"], "no test track by 'tuba'"),
        (["--metrics", "runtime"], "'runtime' measures a run's cells"),
        (["-o", "fad_logmell.x=1"], "'fad_logmell'"),
    ],
)
def test_what_cannot_be_asked(
    wrong: list[str], told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["validity", "--dataset", "folder", "--data-root", str(folder), "--instrument", "reed"]
    assert main([*words, "--split", WORDS["split"], *wrong]) == 2
    assert told in capsys.readouterr().err
