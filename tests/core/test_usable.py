"""Which files a corpus can use: by their headers, and by what listening to them found."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from timbrebench.core import audio
from timbrebench.core.sounding import sounds_of
from timbrebench.core.usable import probe_all

RATE = 16000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def written(path: Path, *broken: int) -> Path:
    samples = np.sin(np.arange(RATE) / 9)
    samples[list(broken)] = np.nan
    sf.write(path, samples, RATE, subtype="FLOAT")
    return path


def test_what_is_usable_of_many(tmp_path: Path) -> None:
    good, bad = written(tmp_path / "good.wav"), tmp_path / "bad.wav"
    bad.write_text("no audio")
    usable, left_out = probe_all([good, bad], tmp_path)
    assert usable == {good: (1.0, RATE)}
    assert list(left_out) == ["bad.wav"]


def test_what_was_heard_to_be_damaged_is_left_out(tmp_path: Path, cache: Path) -> None:
    good, bad = written(tmp_path / "good.wav"), written(tmp_path / "bad.wav", 5000)
    paths = [good, bad]
    assert probe_all(paths, tmp_path)[1] == {}  # nobody has listened
    assert list(sounds_of(paths)[1]) == [bad]
    told = {"bad.wav": "it holds NaN or infinite samples"}
    assert probe_all(paths, tmp_path) == ({good: (1.0, RATE)}, told)
    written(bad, 6000)  # another content is another file
    assert probe_all(paths, tmp_path)[1] == {}
    assert sounds_of(paths)[1] and probe_all(paths, tmp_path)[1] == told


@pytest.mark.parametrize("broken", ["", "[]", '{"by": 1, "files": {}}', '{"by": 1}', "{"])
def test_a_broken_note_is_no_note(tmp_path: Path, cache: Path, broken: str) -> None:
    bad = written(tmp_path / "bad.wav", 5000)
    sounds_of([bad])
    (cache / "damaged.json").write_text(broken)
    assert probe_all([bad], tmp_path)[1] == {}
    sounds_of([bad])
    assert probe_all([bad], tmp_path)[1]


def test_other_code_judges_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = written(tmp_path / "bad.wav", 5000)
    sounds_of([bad])
    other = tmp_path / "audio.py"
    other.write_text("# another")
    monkeypatch.setattr(audio, "__file__", str(other))
    assert probe_all([bad], tmp_path)[1] == {}
