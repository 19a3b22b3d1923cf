"""Differences of systems: by hand, by what a swap means, and through a run."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from timbrebench.benchmarks import measure
from timbrebench.benchmarks.comparing import (
    Results,
    declared,
    difference_of_means,
    difference_of_sets,
)
from timbrebench.benchmarks.evidence import read_evidence, write_evidence
from timbrebench.benchmarks.metrics.frechet import frechet_distance, gaussian
from timbrebench.benchmarks.store import Store
from timbrebench.core.interfaces import Evidence
from timbrebench.core.layouts import SuiteGrid, SuiteLayout, SuiteRecord
from timbrebench.core.results import CellRecord, RunRecord

D = 4


def evidence(shift: float, seed: int, tracks: int = 6) -> Evidence:
    rng = np.random.default_rng(seed)
    clips = {f"t{i}": rng.standard_normal((20, D)) + shift for i in range(tracks)}
    return Evidence(clips, {"mean": np.zeros(D), "covariance": np.eye(D)})


def compared(a: Evidence, b: Evidence):
    return difference_of_sets([(a, b)], measure.with_defaults("fad_logmel").distance_from)


def test_means_by_hand() -> None:
    """Differences -1, -2 and -3 over the tracks that both have: t(2) is 4.303, the error 0.577;
    of four changes of places only the one that is there gives 6."""
    found = difference_of_means([({"a": 1, "b": 1, "c": 1, "x": 9}, {"a": 2, "b": 3, "c": 4})])
    assert found is not None and (found.value, found.n, found.p) == (-2, 3, 0.25)
    assert (found.low, found.high) == pytest.approx((-2 - 2.4841, -2 + 2.4841), abs=1e-3)


def test_seeds_are_averaged_track_by_track() -> None:
    two = [({"a": 1, "b": 2}, {"a": 0, "b": 0}), ({"a": 3, "b": 2}, {"a": 0, "b": 0})]
    found = difference_of_means(two)
    assert found is not None and (found.value, found.low) == (2, None)
    assert difference_of_means([({"a": 1}, {"b": 1})]) is None


def test_the_difference_of_sets_is_that_of_their_distances() -> None:
    a, b = evidence(0.2, 1), evidence(1.0, 2)
    found = compared(a, b)
    assert found is not None
    of_a, of_b = (
        frechet_distance(np.zeros(D), np.eye(D), *gaussian(np.concatenate(list(s.clips.values()))))
        for s in (a, b)
    )
    assert found.value == pytest.approx(of_a - of_b)
    assert found.low is not None and found.high is not None
    assert found.low < found.value < found.high < 0
    assert found.p == 1 / 32  # of all changes of places none parts them further


def test_systems_that_are_alike_are_not_told_apart() -> None:
    a = evidence(0.5, 1)
    same = compared(a, a)
    assert same is not None and (same.value, same.p) == (0, 1)
    other = compared(a, evidence(0.5, 2))
    assert other is not None and other.p > 0.05


def test_only_common_tracks_count() -> None:
    found = compared(evidence(0, 1), evidence(1, 2, tracks=4))
    assert found is not None and found.n == 4


def test_evidence_is_read_as_it_was_written(tmp_path: Path) -> None:
    of = evidence(0, 1)
    path = tmp_path / "fad-1.npz"
    write_evidence(path, {"a:b": of, "b:a": Evidence({}, of.references)})
    found = read_evidence(path, "a:b")
    assert found is not None and found.clips.keys() == of.clips.keys()
    np.testing.assert_array_equal(found.clips["t1"], of.clips["t1"])
    np.testing.assert_array_equal(found.references["covariance"], np.eye(D))
    assert read_evidence(path, "b:a") is None and read_evidence(path, "c:d") is None
    path.write_bytes(path.read_bytes()[:-100])
    assert read_evidence(path, "a:b") is None
    assert read_evidence(tmp_path / "none.npz", "a:b") is None


def run_of(*labels: str, suite: SuiteRecord | None = None) -> RunRecord:
    """Cells with the declared content metric on four tracks."""
    cells = [
        CellRecord(
            label, label, label, label in ("copy", "regress"), "paired", "c", ("a:b",), 0, "ok"
        )
        for label in labels
    ]
    rows = [
        {
            "cell": cell.key, "task": "a:b", "metric": "jaccard_melodia16k", "status": "ok",
            "item": item, "value": 0.1 * number + 0.05 * place, "higher_is_better": False,
        }
        for number, cell in enumerate(cells)
        for place, item in enumerate(("t0", "t1", "t2", "t3", ""))
    ]  # fmt: skip
    return RunRecord(Path("run"), {}, {}, cells, {}, rows, {}, suite)


def test_the_family_is_each_method_with_each_rival(tmp_path: Path) -> None:
    rows = declared(run_of("copy", "regress", "palette", "ldm"), Store(tmp_path))
    pairs = {(row["method"], row["rival"]) for row in rows}
    assert pairs == {(m, r) for m in ("palette", "ldm") for r in ("copy", "regress")}
    assert all(row["p"] == 1 / 8 and row["p_holm"] >= row["p"] for row in rows)
    assert max(row["p_holm"] for row in rows) == min(1, len(rows) / 8)


def test_cells_of_a_heat_map_are_no_declared_comparison(tmp_path: Path) -> None:
    cells = {"cross[k=1]": (1.0, 0.0), "cross[k=2]": (2.0, 0.0)}
    grid = SuiteGrid("grid", "part", "k", "s", cells, (), ("a:b",), (), ())
    suite = SuiteRecord("s", "quick", SuiteLayout("t", (), (), (grid,)), {})
    rows = declared(run_of("copy", "cross", *cells, suite=suite), Store(tmp_path))
    assert [(row["method"], row["p_holm"]) for row in rows] == [("cross", 1 / 8)]


def run_of_budgets(*trained: tuple[str, int]) -> RunRecord:
    """(label, steps) of what is trained, and copy, with the declared content metric: the more
    steps, the better."""
    run = run_of("copy", *(f"{label} {steps}" for label, steps in trained))
    cells = [
        dataclasses.replace(
            cell,
            label=label,
            control=label == "regress",
            budget={"kind": "steps", "amount": steps},
            stages=(cell.key,),
        )
        for cell, (label, steps) in zip(run.cells[1:], trained, strict=True)
    ]
    return dataclasses.replace(run, cells=[run.cells[0], *cells])


def test_budgets_are_not_mixed(tmp_path: Path) -> None:
    """Each budget's cell is compared with copy and with regress of the same budget."""
    run = run_of_budgets(("palette", 10), ("palette", 40), ("regress", 10), ("regress", 40))
    rows = declared(run, Store(tmp_path))
    found = {(r["budget"]["amount"], r["rival"], r["rival_budget"].get("amount")) for r in rows}
    assert len(rows) == len(found) == 4
    assert found == {(n, *rival) for n in (10, 40) for rival in (("copy", None), ("regress", n))}
    values = {(r["budget"]["amount"], r["rival"]): r["value"] for r in rows}
    assert values[10, "copy"] == pytest.approx(0.1) and values[40, "copy"] == pytest.approx(0.2)


def test_runs_are_compared_budget_by_budget(tmp_path: Path) -> None:
    both = Results(run_of_budgets(("palette", 10), ("palette", 40)), Store(tmp_path))
    one = Results(run_of_budgets(("palette", 20)), Store(tmp_path))
    for place, cells in both.systems.items():
        assert both.counterpart(both, place) == cells
        assert bool(one.counterpart(both, place)) == (place[1] == "copy")
    other = Results(run_of_budgets(("palette", 30)), Store(tmp_path))
    assert all(other.counterpart(one, place) for place in one.systems)
