"""Cached log-mels: made once for a content, right whatever happens to their file, and in little
memory."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from timbrebench.core import audio, feature_space
from timbrebench.core.features import aligned_log_mels, crop, feature_file, features_root, log_mels
from timbrebench.core.mel import log_mel, preset
from timbrebench.core.records import Corpus, Track

SPEC = preset("soundstream")
pytestmark = pytest.mark.usefixtures("cache")


def tracks_in(folder: Path, numbers: range) -> tuple[Track, ...]:
    made = []
    for number in numbers:
        path = folder / f"{number}.wav"
        rng = np.random.default_rng(number)
        audio.write(path, rng.uniform(-0.5, 0.5, 16000 + 400 * number), 16000)
        made.append(Track(f"t{number}", {"a": path}))
    return tuple(made)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus("some", tracks_in(tmp_path / "audio", range(5)), {}, "")


def found_in(corpus: Corpus) -> dict[str, np.ndarray]:
    return log_mels(corpus, corpus.tracks, "a", SPEC)


def check(corpus: Corpus) -> None:
    """What is found is what the files hold."""
    for id, values in found_in(corpus).items():
        expected = log_mel(corpus.load(id, "a", SPEC.rate).samples, SPEC)
        np.testing.assert_array_equal(values, expected)


def places() -> dict[str, object]:
    return dict(feature_file(SPEC).read().places)


def test_what_is_known_is_not_decoded_again(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {id: np.array(mel) for id, mel in found_in(corpus).items()}
    monkeypatch.setattr(Corpus, "load", lambda *asked: pytest.fail(f"{asked} is decoded"))
    for id, mel in found_in(corpus).items():
        np.testing.assert_array_equal(mel, first[id])


def test_only_a_changed_track_is_made_again(corpus: Corpus, tmp_path: Path) -> None:
    check(corpus)
    before = places()
    shutil.copytree(tmp_path / "audio", tmp_path / "copy")
    moved = [replace(t, stems={"a": tmp_path / "copy" / t.stems["a"].name}) for t in corpus.tracks]
    check(replace(corpus, tracks=tuple(moved)))
    assert places() == before
    check(replace(corpus, tracks=tuple(moved[1:])))  # one removed
    assert places() == before
    more = (*moved, *tracks_in(tmp_path / "more", range(7, 8)))
    check(replace(corpus, tracks=more))
    assert len(places()) == 6 and places().items() > before.items()
    rewritten = tracks_in(tmp_path / "other", range(9, 10))[0].stems["a"]
    shutil.copy(rewritten, moved[2].stems["a"])
    check(replace(corpus, tracks=more))
    assert len(places()) == 7 and places().items() > before.items()


def test_another_spec_has_its_own(corpus: Corpus) -> None:
    check(corpus)
    other = preset("ldm")
    mels = log_mels(corpus, corpus.tracks, "a", other)
    assert mels["t0"].shape == (128, other.frames_of(22050))
    assert len(places()) == 5
    assert feature_file(other).folder != feature_file(SPEC).folder
    louder = replace(SPEC, floor=1e-4)
    assert log_mels(corpus, corpus.tracks, "a", louder)["t0"].min() >= np.log(np.float32(1e-4))


def test_a_crop_is_one_slice_of_the_file(corpus: Corpus) -> None:
    mel = found_in(corpus)["t3"]
    part = crop(mel, 7, 20)
    assert mel[:, 7:27].T.flags.c_contiguous and not mel.flags.writeable
    assert part.flags.c_contiguous and part.flags.writeable
    np.testing.assert_array_equal(part, np.array(mel)[:, 7:27])


DAMAGED_INDEX = {
    "broken": '{"number": 1, "places": {"a": [0, 1]}}',
    "empty": "",
    "no sum": "\n",
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize(
    "what", ["flipped", "cut", "longer", "gone", "no index", "a number", *DAMAGED_INDEX]
)
def test_damage_is_noticed_and_made_good(corpus: Corpus, what: str) -> None:
    check(corpus)
    folder = feature_file(SPEC).folder
    (file,), index = folder.glob("mels-*.f32"), folder / "index.json"
    values = file.read_bytes()
    if what == "flipped":
        file.write_bytes(values[:999] + bytes([values[999] ^ 64]) + values[1000:])
    elif what == "cut":
        os.truncate(file, len(values) // 2)
    elif what == "longer":  # as a kill leaves it, after the log-mels and before the index
        file.write_bytes(values + b"\x07" * 12345)
    elif what == "gone":
        file.unlink()
    elif what == "no index":
        index.unlink()
    elif what == "a number":  # of frames, or where a log-mel begins
        text = index.read_text()
        at = text.index("[", text.index("places")) + 1
        index.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :])
    else:
        index.write_text(DAMAGED_INDEX[what])
    check(corpus)
    check(corpus)
    assert len(places()) == 5


def test_one_damaged_log_mel_costs_no_other(corpus: Corpus) -> None:
    check(corpus)
    before = places()
    (file,) = feature_file(SPEC).folder.glob("mels-*.f32")
    with file.open("r+b") as opened:
        opened.seek(100)
        opened.write(b"\xff\xff")
    assert len(before.items() & places().items()) == 4


def test_a_cache_that_cannot_be_written_only_costs_time(corpus: Corpus, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    check(corpus)


BUILD = """
import sys
from pathlib import Path
from timbrebench.core.features import log_mels
from timbrebench.core.mel import log_mel, preset
from timbrebench.core.records import Corpus, Track

spec = preset("soundstream")
tracks = tuple(Track(p.stem, {"a": p}) for p in sorted(Path(sys.argv[1]).glob("*.wav")))
corpus = Corpus("some", tracks, {}, "")
for id, mel in log_mels(corpus, tracks, "a", spec).items():
    assert (mel == log_mel(corpus.load(id, "a", spec.rate).samples, spec).numpy()).all()
"""


def test_several_processes_build_and_read_at_once(tmp_path: Path) -> None:
    tracks_in(tmp_path, range(20))
    command = [sys.executable, "-c", BUILD, str(tmp_path)]
    running = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    file, index = feature_file(SPEC), feature_file(SPEC).read()
    assert len(index.places) == 20
    assert file.size == sum(place.frames * 128 * 4 for place in index.places.values())


FLAT = """
import dataclasses, resource, sys
from pathlib import Path
import numpy as np
from timbrebench.core.features import crop, log_mels
from timbrebench.core.mapped import on_disk, release_pages
from timbrebench.core.mel import fit_range, preset
from timbrebench.core.memory import own_data, peak_rss, reset_peak
from timbrebench.core.records import Corpus, Track

# Many frames for little work.
spec = dataclasses.replace(preset("soundstream"), n_fft=256, win=256, hop=16)
tracks = tuple(Track(p.stem, {"a": p}) for p in sorted(Path(sys.argv[1]).glob("*.wav")))
corpus = Corpus("some", tracks, {}, "")
log_mels(corpus, tracks[:1], "a", spec)  # what is loaded once
most = own_data() + 96 * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (most, most))
mels = list(log_mels(corpus, tracks, "a", spec).values())
total = sum(mel.nbytes for mel in mels)
assert total > 150 * 2**20, total
try:
    np.concatenate(mels, axis=1)
except MemoryError:
    pass
else:
    raise AssertionError("the limit limits nothing")
fit_range(mels, spec)
kept = on_disk(np.ascontiguousarray(mel) for mel in mels)
release_pages()
reset_peak()
before = peak_rss()
rng = np.random.default_rng(0)
for number in range(600):
    mel = mels[rng.integers(len(mels))]
    crop(mel, rng.integers(mel.shape[1] - 128), 128)
    kept[rng.integers(len(kept))][:, :128].sum()
    if number % 5 == 0:
        release_pages()
assert peak_rss() - before < 40 * 2**20, peak_rss() - before
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits and peaks are Linux's")
def test_memory_is_flat_for_a_corpus_larger_than_its_limit(tmp_path: Path) -> None:
    """Crops stay within 40 MiB, and all else within 96 MiB, of a corpus of 150 MiB."""
    rng = np.random.default_rng(0)
    for number in range(64):
        audio.write(tmp_path / f"{number}.wav", rng.uniform(-0.5, 0.5, 5 * 16000), 16000)
    # What is freed is given back, so that the limit is one of what is in use.
    environment = {
        **os.environ,
        "MALLOC_MMAP_THRESHOLD_": "65536",
        "MALLOC_ARENA_MAX": "1",
        "OMP_NUM_THREADS": "2",  # each thread holds what it makes
    }
    subprocess.run([sys.executable, "-c", FLAT, str(tmp_path)], check=True, env=environment)


def test_what_was_not_asked_for_longest_goes_first(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = preset("ldm")
    log_mels(corpus, corpus.tracks, "a", other)
    check(replace(corpus, tracks=corpus.tracks[:3]))
    old, file = set(places()), feature_file(SPEC)
    index = file.read()
    index.places = {key: place._replace(day=0) for key, place in index.places.items()}
    file._write(index)  # as of long ago
    size = feature_file(SPEC).size
    monkeypatch.setenv(feature_space.LIMIT, f"{size + 5000}B")
    check(replace(corpus, tracks=corpus.tracks[2:]))  # one of the old, and two new
    assert feature_file(other).size == 0
    assert feature_space.used(features_root()) <= size + 5000
    assert len(places()) == 3 and len(old & set(places())) == 1
    check(corpus)  # more than the limit, and needed


def test_stems_of_unlike_length_are_kept_as_they_are_cut(tmp_path: Path) -> None:
    long, short = (tracks_in(tmp_path, range(n, n + 1))[0].stems["a"] for n in (9, 3))
    corpus = Corpus("some", (Track("t", {"a": long, "b": short}),), {}, "")
    for _ in range(2):
        a, b = aligned_log_mels(corpus, corpus.tracks, ("a", "b"), SPEC)["t"]
        samples = corpus.load("t", "a", SPEC.rate).samples[: 16000 + 1200]
        np.testing.assert_array_equal(a, log_mel(samples, SPEC))
        assert a.shape == b.shape
    check(corpus)  # alone it is whole
    assert len(places()) == 3
