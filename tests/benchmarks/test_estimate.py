"""What a method's answers become: files at one rate and level, and a row for each that is none."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from timbrebench.benchmarks.estimate import PARTIAL, Estimator
from timbrebench.benchmarks.making import RATE, STYLE_CLIPS
from timbrebench.benchmarks.store import Store
from timbrebench.benchmarks.tasks import items_of
from timbrebench.core import audio
from timbrebench.core.errors import NotApplicable
from timbrebench.core.interfaces import Method
from timbrebench.core.mel import MelSpec, fit_range, log_mel, normalise, preset
from timbrebench.core.records import Clip, Corpus, Mels, Task
from timbrebench.testing import tiny_corpus

BELL_BOW = Task("transfer", "bell", "bow")
REED_BOW = Task("transfer", "reed", "bow")
SECONDS = 1.0

Change = Callable[[Clip, np.random.Generator], Any]


class Changed(Method):
    """The source after a change; it keeps what it was called with."""

    def __init__(self, change: Change, mel: MelSpec | None = None) -> None:
        super().__init__(None, mel)
        self.change, self.calls = change, list[Any]()

    def transfer(
        self,
        clips: Sequence[Clip],
        task: Task,
        styles: Sequence[Sequence[Clip]],
        rngs: Sequence[np.random.Generator],
    ) -> Any:
        self.calls.append((task, clips, styles))
        changed = [self.change(c, rng) for c, rng in zip(clips, rngs, strict=True)]
        return changed if isinstance(changed[0], Clip) else changed[0]

    def generate(
        self, instrument: str, count: int, seconds: float, rngs: Sequence[np.random.Generator]
    ) -> list[Clip]:
        self.calls.append((instrument, count, seconds))
        return [Clip(r.standard_normal(RATE).astype(np.float32), RATE) for r in rngs]

    def generate_pair(
        self, a: str, b: str, count: int, seconds: float, rngs: Sequence[np.random.Generator]
    ) -> tuple[list[Clip], list[Clip]]:
        self.calls.append((a, b, count, seconds))
        first = self.generate(a, count, seconds, rngs)
        return first, [replace(clip, samples=-clip.samples) for clip in first]


def same(clip: Clip, rng: np.random.Generator) -> Clip:
    return clip


def louder(clip: Clip, rng: np.random.Generator) -> Clip:
    return Clip(10 * clip.samples, clip.rate)


def noise(clip: Clip, rng: np.random.Generator) -> Clip:
    return Clip(rng.standard_normal(len(clip.samples)).astype(np.float32), clip.rate)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return tiny_corpus(tmp_path_factory.mktemp("tiny"), seconds=SECONDS)


@pytest.fixture
def estimate(corpus: Corpus, tmp_path: Path):
    """Runs a method (or a change of the source) over tasks; gives the items."""

    def run(
        how: Method | Change,
        *tasks: Task,
        seed: int = 0,
        of: Corpus = corpus,
        basis: str = "",
        **cell: Any,
    ) -> list[dict[str, Any]]:
        method = how if isinstance(how, Method) else Changed(how)
        known = {
            "vocoder": {"name": "", "values": {}},
            "max_seconds": None,
            "references": "r",
            "score_on": "test",
        }
        session = SimpleNamespace(
            method=method,
            tasks=tasks or [BELL_BOW],
            corpus=of,
            seed=seed,
            cell={**known, **cell},
            to_choose={},
            use=lambda values: None,
        )
        folder = tmp_path / "cells" / "k"
        made = Estimator(session, Store(tmp_path), folder, lambda event: None, basis)  # type: ignore[arg-type]
        items = made.run()["items"]
        (folder / PARTIAL).unlink(missing_ok=True)  # as the worker does
        return items

    return run


def heard(folder: Path, item: dict[str, Any]) -> np.ndarray:
    samples, rate = sf.read(folder / "cells" / "k" / item["file"], dtype="float32")
    assert rate == RATE
    return samples


def source(corpus: Corpus, track: str, instrument: str = "bell") -> np.ndarray:
    return corpus.load(track, instrument, RATE).samples


# ---------------------------------------------------------------------------- a kill


def stopped_at(track: str) -> Change:
    """The source, until a kill comes."""

    def change(clip: Clip, rng: np.random.Generator) -> Clip:
        if clip.track == track:
            raise KeyboardInterrupt
        return clip

    return change


def asked(method: Changed) -> list[str]:
    return [clips[0].track for _, clips, _ in method.calls]


def test_a_killed_evaluation_goes_on_with_the_next_item(estimate) -> None:
    with pytest.raises(KeyboardInterrupt):
        estimate(stopped_at("tune5"), basis="weights")
    method = Changed(same)
    items = estimate(method, basis="weights")
    assert asked(method) == ["tune5"]
    assert [(i["track"], i["status"]) for i in items] == [("tune4", "ok"), ("tune5", "ok")]


@pytest.mark.parametrize("change", ["weights", "file"])
def test_what_was_made_otherwise_or_is_gone_is_made_again(
    estimate, tmp_path: Path, change: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        estimate(stopped_at("tune5"), basis="weights")
    if change == "file":
        next(tmp_path.glob("cells/k/estimates/*/tune4.flac")).unlink()
    method = Changed(same)
    estimate(method, basis="other" if change == "weights" else "weights")
    assert asked(method) == ["tune4", "tune5"]


# ---------------------------------------------------------------------------- files


def test_an_estimate_is_a_file_a_test_track(estimate, corpus: Corpus, tmp_path: Path) -> None:
    items = estimate(same)
    assert [i["track"] for i in items] == ["tune4", "tune5"]
    assert [i["file"] for i in items] == [f"estimates/bell-bow/tune{n}.flac" for n in (4, 5)]
    for item in items:
        assert (item["source"], item["target"], item["status"]) == ("bell", "bow", "ok")
        assert item["audio_seconds"] == SECONDS
        np.testing.assert_allclose(
            heard(tmp_path, item), source(corpus, item["track"]), atol=1 / 32768
        )


def test_it_is_at_the_sources_level(estimate, corpus: Corpus, tmp_path: Path) -> None:
    for change in (louder, noise):
        for item in estimate(change):
            level = audio.rms(source(corpus, item["track"]))
            found = audio.rms(heard(tmp_path, item)) / item["gain"]
            assert found == pytest.approx(level, rel=1e-3)


def test_it_is_at_one_rate_whatever_the_methods_is(estimate, tmp_path: Path) -> None:
    method = Changed(same, preset("ldm"))
    (item, _) = estimate(method)
    assert {clip.rate for _, clips, _ in method.calls for clip in clips} == {22050}
    assert len(heard(tmp_path, item)) == pytest.approx(SECONDS * RATE, abs=1)


def test_long_tracks_are_cut(estimate, tmp_path: Path) -> None:
    (item, _) = estimate(same, max_seconds=0.5)
    assert len(heard(tmp_path, item)) == RATE // 2


def test_mels_go_through_the_vocoder(estimate, corpus: Corpus, tmp_path: Path) -> None:
    spec = preset("soundstream")

    def mels(clip: Clip, rng: np.random.Generator) -> Mels:
        values = log_mel(clip.samples, spec).numpy()
        state = fit_range([values], spec)
        return Mels([normalise(values, state)], spec, state, [len(clip.samples)])

    vocoder = {"name": "griffinlim", "values": {"iterations": 32, "momentum": 0.99}}
    (item, _) = estimate(Changed(mels, spec), vocoder=vocoder)
    assert item["vocoder_seconds"] > 0
    made = log_mel(heard(tmp_path, item), spec)
    true = log_mel(source(corpus, "tune4"), spec)
    loud = true > true.max() - 4  # ln: within 35 dB of the loudest
    assert float((made - true)[loud].abs().mean()) < 0.5
    assert float((true - true[loud].mean())[loud].abs().mean()) > 0.9


def test_sources_and_references_are_kept_as_scored(
    estimate, corpus: Corpus, tmp_path: Path
) -> None:
    estimate(same, max_seconds=0.5)
    kept = {str(p.relative_to(tmp_path)) for p in tmp_path.glob("references/**/*.flac")}
    assert kept == {f"references/r/{i}/tune{n}.flac" for i in ("bell", "bow") for n in (4, 5)}
    samples, _ = sf.read(tmp_path / "references/r/bow/tune4.flac", dtype="float32")
    np.testing.assert_allclose(samples, source(corpus, "tune4", "bow")[: RATE // 2], atol=1 / 32768)


# ---------------------------------------------------------------------------- randomness, styles


def test_noise_belongs_to_the_item(estimate, tmp_path: Path) -> None:
    def made(*tasks: Task, seed: int = 0) -> dict[tuple[str, str], np.ndarray]:
        items = estimate(noise, *tasks, seed=seed)
        return {(i["task"], i["track"]): heard(tmp_path, i) for i in items}

    alone, together = made(BELL_BOW), made(REED_BOW, BELL_BOW)
    for key, samples in alone.items():
        assert np.array_equal(samples, together[key])
    streams = [s / audio.rms(s) for s in (*together.values(), *made(seed=1).values())]
    correlations = np.corrcoef(streams) - np.eye(len(streams))
    assert np.abs(correlations).max() < 0.05


def test_styles_are_training_tracks_of_the_target(estimate, tmp_path: Path) -> None:
    many = tiny_corpus(tmp_path / "many", split={"train": 10, "test": 2}, seconds=0.5)
    method = Changed(same)
    estimate(method, of=many)
    first, second = ([clip.track for clip in styles[0]] for _, _, styles in method.calls)
    assert len(set(first)) == STYLE_CLIPS
    assert first != second
    assert {many.track(id).split for id in first + second} == {"train"}
    assert {clip.instrument for _, _, styles in method.calls for clip in styles[0]} == {"bow"}


# ---------------------------------------------------------------------------- derived tasks


def test_a_mixed_task_is_the_sum_of_its_parts_which_are_made_once(estimate, tmp_path: Path) -> None:
    mixed = Task("transfer", "bell+reed", "bow", parts=(BELL_BOW, REED_BOW))
    of = _with_mixture(tiny_corpus(tmp_path / "tiny", seconds=SECONDS))
    method = Changed(same)
    items = estimate(method, BELL_BOW, mixed, REED_BOW, of=of)
    assert len(method.calls) == 4  # two parts of two tracks
    made = {(i["task"], i["track"]): heard(tmp_path, i) / i["gain"] for i in items}
    summed = made["bell:bow", "tune4"] + made["reed:bow", "tune4"]
    np.testing.assert_allclose(made[mixed.name, "tune4"], summed, atol=3 / 32768)


def _with_mixture(corpus: Corpus) -> Corpus:
    for track in corpus.tracks:
        track.stems["bell+reed"] = track.stems["bell"]  # type: ignore[index]
    return corpus


def test_generation(estimate, corpus: Corpus, tmp_path: Path) -> None:
    method = Changed(same)
    items = estimate(method, Task("generate", "reed"))
    assert method.calls == [("reed", 1, SECONDS)] * 2
    assert [(i["source"], i["target"]) for i in items] == [("", "")] * 2
    level = audio.rms(source(corpus, "tune4", "reed"))
    found = audio.rms(heard(tmp_path, items[0])) / items[0]["gain"]
    assert found == pytest.approx(level, rel=1e-3)


def test_a_pair_has_two_halves_each_at_its_instruments_level(
    estimate, corpus: Corpus, tmp_path: Path
) -> None:
    method = Changed(same)
    items = estimate(method, Task("pair", "reed", "bell"))
    assert method.calls[0] == ("reed", "bell", 1, SECONDS)
    assert [i["track"] for i in items] == ["tune4", "tune5"]
    for item in items:
        half, other = (heard(tmp_path, {"file": item[f]}) for f in ("file", "other_file"))
        for samples, instrument in ((half, "reed"), (other, "bell")):
            level = audio.rms(source(corpus, item["track"], instrument))
            assert audio.rms(samples) == pytest.approx(level * item["gain"], rel=1e-3)
        assert np.corrcoef(half, other)[0, 1] < -0.99


def test_what_was_chosen_for_a_transfer_is_nothing_to_a_generation(
    corpus: Corpus, tmp_path: Path
) -> None:
    used: list[dict[str, Any]] = []
    cell = {"vocoder": {"name": "", "values": {}}, "max_seconds": None, "references": "r"}
    session = SimpleNamespace(
        method=Changed(same),
        tasks=[BELL_BOW, Task("generate", "reed")],
        corpus=corpus.__class__(**{**vars(corpus), "tracks": corpus.tracks[4:]}),
        references=None,
        seed=0,
        cell={**cell, "score_on": "test"},
        to_choose={"k": (1, 2)},
        use=used.append,
    )
    Estimator(session, Store(tmp_path), tmp_path / "c", lambda event: None).run()  # type: ignore[arg-type]
    assert used == [{"k": 2}] * 2 + [{"k": None}] * 2  # the middle one: no validation track


def test_items_of_a_pair_have_both_instruments_of_any_part(corpus: Corpus) -> None:
    parted = [replace(t, parts={"reed": "melody", "bell": "harmony"}) for t in corpus.tracks]
    lonely = [replace(t, id=f"{t.id}x", stems={"reed": t.stems["reed"]}) for t in corpus.tracks]
    task = Task("pair", "reed", "bell")
    both = replace(corpus, tracks=(*parted, *lonely))
    assert [t.id for t in items_of(task, both, "test")] == ["tune4", "tune5"]
    assert [t.id for t in items_of(task, both, "valid")] == ["tune3"]
    alone = replace(corpus, tracks=tuple(lonely))
    assert [t.id for t in items_of(task, alone, "test")] == ["tune4x", "tune5x"]


def test_validation_tracks_may_be_scored(estimate) -> None:
    assert [i["track"] for i in estimate(same, score_on="valid")] == ["tune3"]


def test_without_a_counterpart_the_source_is_enough(estimate, tmp_path: Path) -> None:
    of = tiny_corpus(tmp_path / "tiny", seconds=SECONDS)
    for track in of.tracks_of("test"):
        del track.stems["bow"]  # type: ignore[attr-defined]
    items = estimate(same, of=of)
    assert [(i["status"], i["target"]) for i in items] == [("ok", "")] * 2


# ---------------------------------------------------------------------------- failures


def raising(error: Exception) -> Change:
    def change(clip: Clip, rng: np.random.Generator) -> Clip:
        if clip.track == "tune4":
            raise error
        return clip

    return change


def giving(samples: Any) -> Change:
    return lambda clip, rng: Clip(np.asarray(samples, np.float32), RATE)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (NotApplicable("no such range"), "not_applicable", "no such range"),
        (ValueError("bad\nvalue"), "failed", "ValueError: bad"),
        (AttributeError("nothing"), "failed", "AttributeError: nothing"),
        (AssertionError(), "failed", "AssertionError"),
    ],
)
def test_an_item_that_fails_fails_alone(
    estimate, error: Exception, status: str, reason: str
) -> None:
    first, second = estimate(raising(error))
    assert (first["status"], first["reason"]) == (status, reason)
    assert "file" not in first
    assert second["status"] == "ok"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (giving([0.1, np.nan]), "samples that are no numbers"),
        (giving([np.inf, 0.1]), "samples that are no numbers"),
        (giving([]), r"of shape [0], not [n]"),
        (giving([[0.1], [0.2]]), r"of shape [2, 1], not [n]"),
        (lambda clip, rng: [clip, clip], "gave 2 results for one clip"),
    ],
)
def test_what_is_no_audio_is_a_row(estimate, change: Change, told: str) -> None:
    for item in estimate(change):
        assert item["status"] == "failed"
        assert told in item["reason"]


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")]
)
def test_out_of_memory_is_the_cells_end(estimate, error: Exception) -> None:
    with pytest.raises(type(error)):
        estimate(raising(error))


def test_a_silent_estimate_stays_silent(estimate, tmp_path: Path) -> None:
    for item in estimate(giving(np.zeros(100))):
        assert item["status"] == "ok"
        assert not heard(tmp_path, item).any()
