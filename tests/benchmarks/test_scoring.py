"""From estimates to rows, by metrics whose values are known: a failure is a row, never a number."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from timbrebench.benchmarks import measure, scoring
from timbrebench.benchmarks.measure import Chosen
from timbrebench.benchmarks.references import References
from timbrebench.benchmarks.scoring import Scorer, score_file
from timbrebench.benchmarks.store import Store
from timbrebench.core import audio, files
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import (
    PUBLISHED,
    TEST,
    CellMetric,
    Measure,
    MetricInfo,
    PairMetric,
    SetMetric,
)
from timbrebench.core.manifest import Entry
from timbrebench.core.memory import OutOfMemory, is_out_of_memory
from timbrebench.core.records import Clip, Corpus, Task, Track
from timbrebench.core.registry import Registry

RATE = 16000
TASK = Task("transfer", "a", "b")


class Gap(PairMetric):
    """Peak of the reference less that of the estimate; some tracks go wrong."""

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        if reference.track == "silent":
            raise CannotMeasure("there is no sound")
        if reference.track == "broken":
            raise IndexError("a mistake")
        if reference.track == "long":
            bytearray(2**62)
        if reference.track == "wordy":
            return {"gap": "much"}  # type: ignore[dict-item]
        if reference.track == "bare":
            return 0.5  # type: ignore[return-value]
        gap = float(reference.samples.max() - estimate.samples.max())
        return {"gap": np.inf if reference.track == "endless" else gap, "rate": estimate.rate}


class Count(SetMetric):
    """How many clips there were on each side."""

    def measure(
        self, references: Sequence[Clip], estimates: Sequence[Clip]
    ) -> tuple[dict[str, float], dict[str, Any]]:
        peaks = sum(float(c.samples.max()) for c in references)
        return {"references": len(references), "peaks": peaks}, {"n": 7, "k": len(estimates)}


class Peaks(SetMetric):
    """The sum of the estimates' peaks: a distance that is bounded."""

    bounded = True

    def measure(
        self, references: Sequence[Clip], estimates: Sequence[Clip]
    ) -> tuple[dict[str, float], dict[str, Any]]:
        assert all(len(c.samples) for c in references)
        return {"sum": sum(float(c.samples.max()) for c in estimates)}, {"n": len(estimates)}


class Told(CellMetric):
    """What the cell's record says."""

    def measure(self, outcome: Any) -> dict[str, float]:
        return {"seconds": outcome["seconds"]}


def info(name: str, *measures: str, **fields: Any) -> MetricInfo:
    made = tuple(Measure(m, "u", False) for m in measures)
    return MetricInfo(name, "", "nowhere:Nothing", measures=made, **fields)


INFOS = {
    "gap": info("gap", "gap"),
    "slow_gap": info("slow_gap", "gap", "rate", rate=8000),
    "halves": info("halves", "gap", kinds=("pair",)),
    "sums": info("sums", "references", "peaks", kind="set", kinds=("pair",)),
    "self_gap": info("self_gap", "gap", against_source=True),
    "more": info("more", "gap", "absent"),
    "count": info("count", "references", "peaks", kind="set"),
    "bounded": info("bounded", "sum", kind="set"),
    "to_tests": info("to_tests", "sum", kind="set", references=TEST),
    "to_all": info("to_all", "sum", kind="set", references=PUBLISHED),
    "told": info("told", "seconds", "absent", kind="cell"),
    "uncreated": info("uncreated", "gap"),
}
CLASSES: dict[str, Any] = {"count": Count, "sums": Count, "told": Told}
CLASSES |= dict.fromkeys(("bounded", "to_tests", "to_all"), Peaks)


@pytest.fixture(autouse=True)
def metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """These metrics are the only ones that there are."""
    entries = [Entry("metric", i, (), "nowhere:Nothing", "d", "1", "code") for i in INFOS.values()]
    for module in (scoring, measure):
        monkeypatch.setattr(module, "registry", lambda: Registry(tuple(entries)))

    def create(chosen: Chosen) -> Any:
        if chosen.entry.name == "uncreated":
            raise ImportError("no such library")
        return CLASSES.get(chosen.entry.name, Gap)(None)

    monkeypatch.setattr(measure, "create_metric", create)


def write(path: Path, peak: float, rate: int = RATE) -> Path:
    """A slow, smooth wave with that peak, which resampling keeps."""
    wave = peak * np.sin(2 * np.pi * 50 * np.arange(rate // 10) / rate)
    audio.write(path, wave.astype(np.float32), rate)
    return path


class Cell:
    """A cell with estimates of some tracks: references peak at 0.5, sources at 0.4."""

    def __init__(self, root: Path) -> None:
        self.store, self.folder = Store(root), root / "cells" / "k"
        self.items: list[dict[str, Any]] = []
        self.tracks: list[Track] = []
        self.tasks = [TASK]
        for id in ("t1", "t2"):
            stems = {"b": write(root / "corpus" / f"{id}.b.wav", 0.25)}
            self.tracks.append(Track(id, stems, "train"))

    def estimate(self, track: str, peak: float, **fields: Any) -> None:
        item = {"task": TASK.name, "track": track, "source": "a", "target": "b", "status": "ok"}
        item |= {"reason": "", "file": f"estimates/{track}.flac", **fields}
        self.items.append(item)
        if item["status"] == "ok":
            write(self.folder / item["file"], peak)
            write(self.store.reference("r", "a", track), 0.4)
            write(self.store.reference("r", "b", track), 0.5)

    def score(self, *names: str, **choice: Any) -> list[dict[str, Any]]:
        """The rows of the metrics."""
        corpus = Corpus("c", tuple(self.tracks), {}, "")
        session = SimpleNamespace(
            tasks=self.tasks,
            all_tasks=self.tasks,
            not_applicable=lambda task: "",
            corpus=corpus,
            references=References(corpus),
            cell={"references": "r"},
        )
        files.write_json(self.folder / "estimates.json", {"items": self.items})
        choices = [{"name": n, "values": {}, "inputs": [], **choice} for n in names]
        scorer = Scorer(session, self.store, self.folder, lambda event: None)  # type: ignore[arg-type]
        found = scorer.run(choices, {"seconds": 3})
        return [r for f in found for r in files.read_json(self.folder / "scores" / f)]


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    return Cell(tmp_path)


def by_item(rows: list[dict[str, Any]], field: str = "value") -> dict[str, Any]:
    return {r["item"]: r[field] for r in rows}


# ---------------------------------------------------------------------------- by item


def test_a_row_an_item_and_their_mean(cell: Cell) -> None:
    cell.estimate("1", 0.3)
    cell.estimate("2", 0.1)
    rows = cell.score("gap")
    assert by_item(rows) == pytest.approx({"1": 0.2, "2": 0.4, "": 0.3}, abs=1e-3)
    assert by_item(rows, "n") == {"1": None, "2": None, "": 2}
    assert {r["reference"] for r in rows} == {"target"}
    assert {(r["unit"], r["higher_is_better"], r["task"]) for r in rows} == {("u", False, "a:b")}


def test_clips_come_at_the_metrics_rate(cell: Cell) -> None:
    cell.estimate("1", 0.3)
    rows = [r for r in cell.score("slow_gap") if not r["item"]]
    assert {r["metric"]: round(r["value"], 2) for r in rows} == {"gap": 0.2, "rate": 8000}


def test_what_fails_is_a_row_and_the_mean_says_who_is_not_in_it(cell: Cell) -> None:
    cell.estimate("1", 0.3)
    for track in ("silent", "broken", "endless", "wordy", "bare"):
        cell.estimate(track, 0.3)
    cell.estimate("unmade", 0, status="failed", reason="ValueError: x")
    cell.estimate("unable", 0, status="not_applicable", reason="too high")
    rows = cell.score("gap")
    assert by_item(rows, "status") == {
        "1": "ok",
        "silent": "failed",
        "broken": "failed",
        "endless": "failed",
        "wordy": "failed",
        "bare": "failed",
        "unmade": "failed",
        "unable": "not_applicable",
        "": "ok",
    }
    assert all(r["value"] is None for r in rows if r["status"] != "ok")
    reasons = by_item(rows, "reason")
    assert reasons["silent"] == "there is no sound"
    assert reasons["broken"] == "IndexError: a mistake"
    assert reasons["endless"] == "the metric gave inf"
    assert (reasons["unmade"], reasons["unable"]) == ("ValueError: x", "too high")
    mean = rows[-1]
    assert (mean["n"], round(mean["value"], 3)) == (1, 0.2)
    assert mean["details"]["not_measured"] == [
        *("silent", "broken", "endless", "wordy", "bare", "unmade", "unable")
    ]


def test_a_mean_of_nothing_is_no_number(cell: Cell) -> None:
    cell.estimate("silent", 0.3)
    mean = cell.score("gap")[-1]
    assert (mean["value"], mean["n"], mean["status"]) == (None, 0, "failed")
    assert mean["reason"] == "there is no sound"


def test_no_item_at_all(cell: Cell) -> None:
    (row,) = cell.score("gap")
    assert (row["status"], row["reason"]) == ("failed", "no estimate was made")


def test_a_measure_that_the_metric_did_not_give(cell: Cell) -> None:
    cell.estimate("1", 0.3)
    rows = [r for r in cell.score("more") if r["metric"] == "absent"]
    assert {(r["value"], r["status"]) for r in rows} == {(None, "not_applicable")}


def test_without_a_counterpart(cell: Cell) -> None:
    cell.estimate("1", 0.3, target="")
    first, _ = cell.score("gap")
    assert (first["status"], first["value"]) == ("not_applicable", None)
    assert first["reason"] == "the item has no counterpart by the target"
    first, _ = cell.score("self_gap")
    assert (first["reference"], round(first["value"], 3)) == ("source", 0.1)


def test_tasks_that_a_metric_is_not_for(cell: Cell) -> None:
    cell.tasks = [Task("generate", "b")]
    (row,) = cell.score("gap")
    assert (row["status"], row["task"]) == ("not_applicable", "generate:b")
    assert row["reason"] == "gap does not measure generate tasks"


def test_a_metric_that_cannot_be_created(cell: Cell) -> None:
    cell.estimate("1", 0.3)
    (row, *_) = rows = cell.score("uncreated", "gap")
    assert (row["status"], row["reason"]) == ("failed", "ImportError: no such library")
    assert [r["status"] for r in rows[1:]] == ["ok", "ok"]


def test_a_lack_of_memory_is_no_row(cell: Cell) -> None:
    """It would last, though another machine or limit has room; what is done stays."""
    cell.estimate("1", 0.3)
    cell.estimate("long", 0.3)
    with pytest.raises(OutOfMemory, match="the metric gap ran out of memory: MemoryError") as told:
        cell.score("told", "gap")
    assert is_out_of_memory(told.value)
    assert [path.name for path in (cell.folder / "scores").iterdir()] == [
        score_file({"name": "told", "values": {}, "inputs": []})
    ]


# ---------------------------------------------------------------------------- by task, by cell


def test_a_set_is_held_against_the_targets_training_tracks(cell: Cell) -> None:
    for track in ("2", "1"):
        cell.estimate(track, 0.3)
    cell.estimate("unmade", 0, status="failed", reason="x")
    references, peaks = cell.score("count")
    assert (references["value"], references["item"], references["n"]) == (2, "", 7)
    assert peaks["value"] == pytest.approx(0.5, abs=1e-3)
    assert references["reference"] == "train tracks of b"
    assert references["details"] == {"n": 7, "k": 2, "items": ["1", "2"]}


def with_tests(cell: Cell) -> None:
    """Test tracks 1, 2 and 3: sources that peak at 0.4, targets at 0.5; estimates of two."""
    for id in ("1", "2", "3"):
        folder = cell.store.root / "corpus"
        stems = {n: write(folder / f"{id}.{n}.wav", p) for n, p in (("a", 0.4), ("b", 0.5))}
        cell.tracks.append(Track(id, stems, "test"))
    for id in ("1", "2"):
        cell.estimate(id, 0.3)


def test_what_bounds_a_distance_is_told(cell: Cell) -> None:
    """As many real clips as there are estimates, and what they were made from."""
    with_tests(cell)
    (row,) = cell.score("bounded")
    assert row["value"] == pytest.approx(0.6, abs=1e-3)
    floor, ceiling = row["details"]["floor"], row["details"]["ceiling"]
    assert (floor["of"], floor["n"]) == ("test tracks of b", 2)
    assert floor["value"] == pytest.approx(1.0, abs=1e-3)
    assert (ceiling["of"], ceiling["n"]) == ("a", 2)
    assert ceiling["value"] == pytest.approx(0.8, abs=1e-3)


def test_against_the_test_tracks_the_floor_is_of_training_tracks(cell: Cell) -> None:
    with_tests(cell)
    (row,) = cell.score("to_tests")
    assert row["reference"] == "test tracks of b"
    assert row["details"]["floor"]["of"] == "train tracks of b"
    assert row["details"]["floor"]["value"] == pytest.approx(0.5, abs=1e-3)  # two of 0.25


def test_the_published_way_pools_both_directions(cell: Cell) -> None:
    with_tests(cell)
    back = Task("transfer", "b", "a")
    cell.tasks = [TASK, back]
    cell.estimate("3", 0.2, task=back.name, source="b", target="a")
    there, and_back = cell.score("to_all")
    assert there["value"] == and_back["value"] == pytest.approx(0.8, abs=1e-3)
    assert there["reference"] == "the whole corpus, sources included; estimates of both directions"
    assert there["details"]["items"] == ["1", "2"] and there["n"] == 3


def test_without_training_tracks_the_test_tracks_are_said(cell: Cell) -> None:
    cell.tracks = [replace(t, split="test") for t in cell.tracks]
    cell.estimate("1", 0.3)
    assert cell.score("count")[0]["reference"] == "test tracks of b"


def test_a_set_without_estimates(cell: Cell) -> None:
    cell.estimate("unmade", 0, status="failed", reason="ValueError: x")
    rows = cell.score("count")
    assert {(r["value"], r["status"], r["reason"]) for r in rows} == {
        (None, "failed", "ValueError: x")
    }


def test_a_cells_rows_have_no_task(cell: Cell) -> None:
    seconds, absent = cell.score("told")
    assert (seconds["value"], seconds["task"], seconds["item"]) == (3, "", "")
    assert (absent["value"], absent["status"]) == (None, "not_applicable")


class Lacking:
    """A metric whose embedding has no weights."""

    embedding = SimpleNamespace(missing=lambda: "no weights: bench data prepare x")


def test_missing_weights_are_told(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "create_metric", lambda chosen: Lacking())
    cell.estimate("1", 0.3)
    for row in cell.score("count"):
        assert (row["status"], row["value"]) == ("missing", None)
        assert row["reason"] == "no weights: bench data prepare x"


# ---------------------------------------------------------------------------- score files


def test_scores_that_are_there_stay(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    cell.estimate("1", 0.3)
    before = cell.score("gap")

    def measured_again(chosen: Chosen) -> Any:
        assert chosen.entry.name == "told"
        return Told(None)

    monkeypatch.setattr(measure, "create_metric", measured_again)
    assert cell.score("gap", "told")[: len(before)] == before


def test_damaged_scores_are_made_again(cell: Cell) -> None:
    cell.estimate("1", 0.3)
    before = cell.score("gap")
    (path,) = (cell.folder / "scores").iterdir()
    path.write_text("[{")
    assert cell.score("gap") == before


def test_what_decides_a_score_is_in_its_files_name(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = {"name": "gap", "values": {"x": 1}, "inputs": []}
    names = {
        score_file(choice),
        score_file(choice | {"values": {"x": 2}}),
        score_file(choice | {"inputs": ["weights"]}),
    }
    newer = Entry("metric", replace(INFOS["gap"], version="2"), (), "", "d", "1", "code")
    monkeypatch.setattr(scoring, "registry", lambda: Registry((newer,)))
    names.add(score_file(choice))
    assert len(names) == 4
    assert all(name.startswith("gap-") for name in names)


# ---------------------------------------------------------------------------- pairs


def test_the_halves_of_a_pair(cell: Cell) -> None:
    """Each other's reference; sets of their own, held against their own instrument's tracks."""
    task = Task("pair", "a", "b")
    cell.tasks = [task]
    for number, track in enumerate(cell.tracks):  # by b they peak at 0.25
        stems = {**track.stems, "a": write(cell.folder / f"{track.id}.a.wav", 0.125)}
        cell.tracks[number] = replace(track, stems=stems)
    for track in ("x", "silent"):
        other = f"estimates/other/{track}.flac"
        cell.estimate(track, 0.5, task=task.name, source="", target="", other_file=other)
        write(cell.folder / other, 0.75)

    rows = cell.score("halves")
    assert by_item(rows) == {
        "x": pytest.approx(0.25, abs=1e-3),
        "silent": None,
        "": by_item(rows)["x"],
    }
    assert by_item(rows, "reference")["x"] == "the other half"

    sums = {r["metric"]: r for r in cell.score("sums")}
    peaks = [sums[f"peaks{of}"]["value"] for of in ("[a]", "[b]", "")]
    assert peaks == pytest.approx([0.25, 0.5, 0.375], abs=1e-3)
    assert sums["peaks[a]"]["reference"] == "train tracks of a" and sums["peaks"]["n"] == 7
    assert sums["peaks"]["details"]["items"] == ["silent", "x"]


def test_a_half_that_cannot_be_measured_leaves_no_mean(cell: Cell) -> None:
    task = Task("pair", "a", "b")
    cell.tasks = [task]
    cell.estimate("x", 0.5, task=task.name, source="", target="", other_file="estimates/none.flac")
    for number, track in enumerate(cell.tracks):
        cell.tracks[number] = replace(track, stems={**track.stems, "a": track.stems["b"]})
    rows = {r["metric"]: r for r in cell.score("sums", "halves")}
    assert rows["peaks[a]"]["status"] == "ok"
    for name in ("peaks[b]", "peaks", "gap"):
        assert rows[name]["status"] == "failed" and rows[name]["value"] is None
