"""Other systems' estimates: which file is of which item."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.records import Clip, Corpus, Task
from timbrebench.methods.files.model import Files
from timbrebench.methods.files.plugin import FilesOptions

TASK = Task("transfer", "clarinet", "strings")
OTHER = Task("transfer", "strings", "clarinet")
CORPUS = Corpus("none", (), {"all": (TASK, OTHER)}, "x")


def write(path: Path, value: float = 0.25, seconds: float = 1.0, rate: int = 16000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(round(seconds * rate), value), rate, subtype="PCM_16")


def read(folder: Path, track: str = "a", tasks=(TASK, OTHER), task: Task = TASK) -> Clip:
    method = Files(FilesOptions(str(folder)))
    assert method.stages(CORPUS, tasks) == ()
    method.setup(CORPUS, {}, "cpu")
    clip = Clip(np.zeros(16000, np.float32), 16000, "clarinet", track)
    (made,) = method.transfer([clip], task, [[]], [np.random.default_rng(0)])
    return made


@pytest.mark.parametrize(
    "name",
    ["clarinet-strings", "clarinet_to_strings", "clarinet:strings", "clarinet_strings"],
)
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_task_folder_may_be_named_in_several_ways(tmp_path, name, suffix):
    write(tmp_path / name / f"a.{suffix}", 0.5)
    write(tmp_path / "strings-clarinet" / "a.wav", 0.1)
    made = read(tmp_path)
    assert made.samples[100] == pytest.approx(0.5, abs=1e-4)
    assert (made.instrument, made.track) == ("strings", "a")


@pytest.mark.parametrize("file", ["album/1.0.wav", "album_1.0.wav"])
def test_a_track_with_a_slash_is_a_subfolder_or_an_underscore(tmp_path, file):
    write(tmp_path / "clarinet-strings" / file)
    assert read(tmp_path, "album/1.0").track == "album/1.0"


def test_files_without_a_task_folder_are_of_the_only_task(tmp_path):
    write(tmp_path / "a.wav")
    assert len(read(tmp_path, tasks=(TASK,)).samples) == 16000
    with pytest.raises(MissingData):
        read(tmp_path, tasks=(TASK, OTHER))


def test_the_estimate_has_the_rate_of_the_source_and_is_cut_to_it(tmp_path):
    write(tmp_path / "clarinet-strings" / "a.wav", seconds=3.0, rate=44100)
    made = read(tmp_path)
    assert (made.rate, len(made.samples)) == (16000, 16000)


def test_a_missing_estimate_says_where_it_was_looked_for(tmp_path):
    write(tmp_path / "clarinet-strings" / "ab.wav")
    with pytest.raises(MissingData, match=r"clarinet-strings/a\.wav.*clarinet-strings/ab"):
        read(tmp_path)


def test_a_track_name_cannot_leave_the_folder(tmp_path):
    write(tmp_path / "secret.wav")
    write(tmp_path / "in" / "clarinet-strings" / "b.wav")
    with pytest.raises(MissingData):
        read(tmp_path / "in", "../../secret")


def test_two_files_of_one_item_are_an_error(tmp_path):
    write(tmp_path / "clarinet-strings" / "a.wav")
    write(tmp_path / "clarinet-strings" / "a.flac")
    with pytest.raises(BenchError, match="both estimates of one item"):
        read(tmp_path)


def test_a_missing_or_empty_folder_is_an_error(tmp_path):
    with pytest.raises(MissingData, match="no folder"):
        read(tmp_path / "absent")
    with pytest.raises(MissingData, match="no audio"):
        read(tmp_path)
    with pytest.raises(MissingData, match="no folder"):
        Files(FilesOptions()).transfer([Clip(np.zeros(9), 16000)], TASK, [[]], [])
