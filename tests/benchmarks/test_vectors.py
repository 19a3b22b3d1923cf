"""Vectors kept by content: nothing is confused, nothing stale is used, nothing is done twice."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from timbrebench.benchmarks.measure import Chosen
from timbrebench.benchmarks.metrics.logmel import LogMel
from timbrebench.benchmarks.score import score_folders
from timbrebench.benchmarks.vectors import Embed, FileVectors, VectorStore, hashes_of
from timbrebench.core.records import Clip
from timbrebench.core.registry import registry

RATE = 16000


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def chosen() -> Chosen:
    find = registry().find
    return Chosen(find("metric", "fad_logmel"), {}, find("embedding", "logmel"))


def write(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.random.default_rng(seed).standard_normal(3 * RATE)
    sf.write(path, samples * np.linspace(0.1, 1, len(samples)), RATE)
    return path


def embedded(store: VectorStore, file: Path) -> FileVectors:
    (content,) = hashes_of([file]).values()
    return store.get(content) or Embed(store, ((file, content),)).run()[0]


def test_what_is_kept_is_what_was_made(tmp_path: Path, chosen: Chosen) -> None:
    store, file = VectorStore(chosen), write(tmp_path / "a.wav", 0)
    made, kept = embedded(store, file), embedded(store, file)
    assert made.vectors is not None and made.vectors.shape == (3, 128) and made.seconds == 3
    assert kept is not made and kept.seconds == 3
    np.testing.assert_array_equal(kept.vectors, made.vectors)


def test_nothing_is_embedded_twice(
    tmp_path: Path, chosen: Chosen, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Clip] = []
    plain = LogMel.embed
    monkeypatch.setattr(LogMel, "embed", lambda self, clip: calls.append(clip) or plain(self, clip))
    file = write(tmp_path / "a.wav", 0)
    twin = tmp_path / "of another name.wav"
    twin.write_bytes(file.read_bytes())
    for path in (file, file, twin):
        embedded(VectorStore(chosen), path)
    assert len(calls) == 1


def test_one_bad_file_of_several_costs_itself_alone(tmp_path: Path, chosen: Chosen) -> None:
    files = [write(tmp_path / f"{seed}.wav", seed) for seed in range(3)]
    sf.write(tmp_path / "short.wav", 0.1 * np.ones(RATE // 2), RATE)
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    every = [files[0], tmp_path / "short.wav", files[1], tmp_path / "bad.wav", files[2]]
    store = VectorStore(chosen)
    found = Embed(store, tuple(hashes_of(every).items())).run()
    assert [f.vectors is not None for f in found] == [True, False, True, False, True]
    assert "shorter than a window" in found[1].reason and "cannot be read" in found[3].reason
    for file, made in zip(files, found[::2], strict=True):
        np.testing.assert_array_equal(embedded(store, file).vectors, made.vectors)
    assert len(list(store.folder.rglob("*.npz"))) == 3


def test_files_of_one_stem_do_not_collide(tmp_path: Path, chosen: Chosen) -> None:
    store = VectorStore(chosen)
    files = [write(tmp_path / side / "a.wav", seed) for seed, side in enumerate("xy")]
    one, two = (embedded(store, file).vectors for file in files)
    assert one is not None and two is not None and not np.allclose(one, two)
    np.testing.assert_array_equal(embedded(store, files[0]).vectors, one)


def test_a_changed_file_is_embedded_again(tmp_path: Path, chosen: Chosen) -> None:
    """Even one that keeps its size and its time."""
    store, file = VectorStore(chosen), write(tmp_path / "a.wav", 0)
    before, mark = embedded(store, file), file.stat()
    write(file, 1)
    os.utime(file, ns=(mark.st_atime_ns, mark.st_mtime_ns))
    assert file.stat().st_size == mark.st_size
    after = embedded(store, file)
    assert before.vectors is not None and after.vectors is not None
    assert not np.allclose(before.vectors, after.vectors)


@pytest.mark.parametrize("damage", [b"", b"no zip at all", None])
def test_a_damaged_record_is_made_again(
    tmp_path: Path, chosen: Chosen, damage: bytes | None
) -> None:
    store, file = VectorStore(chosen), write(tmp_path / "a.wav", 0)
    made = embedded(store, file)
    (record,) = store.folder.rglob("*.npz")
    record.write_bytes(record.read_bytes()[:200] if damage is None else damage)
    np.testing.assert_array_equal(embedded(store, file).vectors, made.vectors)


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    tmp_path: Path, chosen: Chosen, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path / "file"))
    assert embedded(VectorStore(chosen), write(tmp_path / "a.wav", 0)).vectors is not None


def test_other_weights_have_another_address(chosen: Chosen) -> None:
    vggish = registry().find("embedding", "vggish")
    other = Chosen(chosen.entry, {}, vggish)
    assert VectorStore(chosen).folder != VectorStore(other).folder


def test_sets_are_what_the_metric_makes_of_the_clips(tmp_path: Path, chosen: Chosen) -> None:
    """Cold, warm and straight from the audio: one value."""
    for seed in range(6):
        write(tmp_path / ("real" if seed < 3 else "made") / f"{seed % 3}.wav", seed)
    cold, warm = (
        score_folders(tmp_path / "real", tmp_path / "made", [chosen], jobs=2) for _ in range(2)
    )
    assert cold == warm
    from timbrebench.benchmarks.measure import create_metric
    from timbrebench.core import audio

    clips = [
        [Clip(audio.load(f, RATE), RATE, track=f.stem) for f in sorted((tmp_path / side).iterdir())]
        for side in ("real", "made")
    ]
    values, details = create_metric(chosen).measure(*clips)
    row = cold["metrics"]["fad_logmel"]
    assert row["value"] == pytest.approx(values["fad_logmel"], rel=1e-12)
    assert row["n"] == details["n"] == 9 and row["interval"] == details["interval"]
